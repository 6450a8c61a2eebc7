import {
  type Clock,
  type Crypto,
  type Draft,
  isKernelError,
  type RefusedDraft,
  type Seal,
  type Sealed,
  type Stored,
} from '@helm-ai-kernel/core'
import { createRange, leafHash } from '@helm-ai-kernel/core/log'
import type { StateFold } from '@helm-ai-kernel/core/receipt'
import { type Batch, createBatch, type Edge, type Result, type Waiting } from './batch.ts'
import { createCancel } from './cancel.ts'
import type { Journal } from './journal.ts'
import { errorOf, type Fault, faultFrom, faultOf } from './fault.ts'
import { mayUseReserve, type Reserve } from './reserve.ts'

/**
 * A batch goes to the disk once it has this many entries, or everybody who waits is in it. What is
 * left is signed while the disk works, so with many callers neither waits for the other.
 */
const eagerEntries = 16
/** Nor more than these: the event loop is not held up longer than some milliseconds. */
const batchEntries = 128

const firstPause = 100
const longestPause = 2000

export interface WriterOptions {
  readonly journal: Journal
  readonly reserve: Reserve
  readonly crypto: Crypto
  readonly clock: Clock
  /** Of everything acknowledged; the writer moves it on. */
  readonly state: StateFold
  readonly edge: Edge
  /** Signs the head of a tree. */
  readonly sign: (edge: Edge) => Uint8Array
  /** Called with receipts that are durable, before whoever waits for them hears of it. */
  readonly accept: (receipts: readonly Stored[]) => void
}

/** The one writer: seals, groups, commits, and after a failure goes back to what was acknowledged. */
export interface Writer {
  readonly append: (drafts: readonly Draft[], seal: Seal) => Promise<readonly Result[]>
  /** The tree of everything acknowledged. */
  readonly edge: () => Edge
  readonly fault: () => Fault | undefined
  /** Resolves once the journal may be written to, or a fault says why not. */
  start(): Promise<void>
  /** Takes nothing more, and resolves when what was taken is done. */
  close(): Promise<void>
}

interface Call extends Omit<Waiting, 'results'> {
  readonly drafts: readonly Draft[]
  readonly seal: Seal
}

export function createWriter(options: WriterOptions): Writer {
  const { journal, reserve, crypto, clock, state } = options
  let durable = options.edge
  // INVARIANT: `ahead` and `tree` are `state` and `durable` moved on by all that is sealed.
  let ahead = state.fork()
  let tree = createRange(crypto, durable)
  let calls: Call[] = []
  let batch = createBatch(durable)

  let onItsWay = false
  let busy = false
  let idle = Promise.resolve()
  let fault: Fault | undefined
  let forGood = false
  let repairDue = false
  let repairAwaited = false
  let pause = firstPause
  let closed = false
  const closing = createCancel()

  function append(drafts: readonly Draft[], seal: Seal): Promise<readonly Result[]> {
    const refused = refusal(drafts)
    if (refused !== undefined) return Promise.reject(errorOf(refused))
    return new Promise((resolve, reject) => {
      calls.push({ drafts, seal, resolve, reject })
      if (onItsWay) sealCalls(batchEntries)
      else wake()
    })
  }

  function refusal(drafts: readonly Draft[]): Fault | undefined {
    if (closed) return faultOf('LEDGER_UNAVAILABLE', 'the ledger is closed', 'open it again')
    if (fault?.code === 'LEDGER_FULL' && journal.ready && mayUseReserve(drafts)) return undefined
    return fault
  }

  function wake(): void {
    if (!busy) idle = run()
  }

  async function run(): Promise<void> {
    busy = true
    while (repairDue || calls.length + batch.waiting.length > 0) {
      if (repairDue) await repair()
      else await commitBatch()
    }
    busy = false
  }

  async function commitBatch(): Promise<void> {
    let leaving = batch
    try {
      // A call to the disk is also a turn of the event loop: callers of the same turn join.
      await journal.guard()
      sealCalls(eagerEntries)
      leaving = batch
      batch = createBatch({ size: tree.size, hashes: tree.hashes() })
      const work =
        leaving.receipts.length > 0 && journal.commit(leaving, options.sign(leaving.before))
      onItsWay = true
      sealCalls(batchEntries)
      await work
    } catch (error) {
      onItsWay = false
      return fail(error, leaving)
    }
    onItsWay = false
    acknowledge(leaving)
  }

  function sealCalls(entries: number): void {
    while (batch.receipts.length < entries) {
      const call = calls.shift()
      if (call === undefined) return
      const { resolve, reject } = call
      try {
        const results = call.seal(ahead, call.drafts)
        batch.waiting.push({ results: results.map(place), resolve, reject })
      } catch (error) {
        reject(error)
      }
    }
  }

  function place(sealed: Sealed | RefusedDraft): Result {
    if ('refused' in sealed) return sealed
    const receipt: Stored = Object.freeze({ ...sealed, logIndex: tree.size })
    ahead.apply(receipt)
    tree.append(leafHash(crypto, receipt.entry))
    batch.add(receipt)
    return receipt
  }

  function acknowledge(done: Batch): void {
    durable = batch.before
    for (const receipt of done.receipts) state.apply(receipt)
    options.accept(done.receipts)
    for (const { results, resolve } of done.waiting) resolve(results)
  }

  async function fail(error: unknown, leaving: Batch): Promise<void> {
    const why = faultFrom(error)
    const waiting = [...leaving.waiting, ...(leaving === batch ? [] : batch.waiting), ...calls]
    fault = why
    forGood = isKernelError(error, 'LEDGER_LOCKED')
    ahead = state.fork()
    tree = createRange(crypto, durable)
    batch = createBatch(durable)
    calls = []
    await journal.stop()
    // First cut, then say no: what is refused must not be found at the next start. Only if the cut
    // fails too, and the process ends before a later one succeeds, may it be.
    await repair()
    for (const { reject } of waiting) reject(errorOf(why, error))
  }

  /** One attempt to be whole again; when it fails the next is due after a pause. */
  async function repair(fresh = true): Promise<void> {
    repairDue = false
    if (forGood) return
    try {
      if (fault?.code === 'LEDGER_FULL' && !journal.ready) await reserve.release()
      if (!journal.ready) await journal.start(fresh)
      await reserve.make()
      fault = undefined
      pause = firstPause
    } catch (error) {
      forGood = isKernelError(error, 'LEDGER_LOCKED')
      fault = faultFrom(error)
      if (!forGood && !repairAwaited) void repairLater()
    }
  }

  async function repairLater(): Promise<void> {
    repairAwaited = true
    await clock.sleep(pause, closing.cancel)
    repairAwaited = false
    pause = Math.min(pause * 2, longestPause)
    repairDue = !closed
    if (repairDue) wake()
  }

  return {
    append,
    edge: () => durable,
    fault: () => fault,
    start: () => repair(false),
    async close() {
      closed = true
      closing.abort()
      await idle
      if (!journal.ready) await repair(false)
      await journal.stop()
    },
  }
}
