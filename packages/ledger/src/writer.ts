import {
  type Clock,
  createCancel,
  type Crypto,
  type Draft,
  isKernelError,
  type LedgerFault,
  type Seal,
  type Stored,
} from '@helm-ai-kernel/core'
import type { StateFold } from '@helm-ai-kernel/core/receipt'
import type { Edge, Result } from './batch.ts'
import { errorOf, faultFrom, faultOf } from './fault.ts'
import type { Journal } from './journal.ts'
import { mayUseReserve, type Reserve } from './reserve.ts'
import { createSealer, type SealedBatch } from './sealer.ts'

/** So many are sealed while the disk does something short. */
const fewEntries = 8
/** Fewer than these are not worth a sync of their own while others wait to join them. */
const leastEntries = 16
/** The event loop is not held up by more. */
const mostEntries = 128

const firstPause = 100
const longestPause = 2000

export interface WriterOptions {
  readonly journal: Journal
  readonly reserve: Reserve
  readonly crypto: Crypto
  readonly clock: Clock
  /** Of everything acknowledged; `accept` moves it on. */
  readonly state: StateFold
  /** The tree of everything acknowledged. */
  readonly edge: Edge
  /** Signs the head of a tree. */
  readonly sign: (edge: Edge) => Uint8Array
  /** Called with receipts that are durable, before whoever waits for them hears of it. */
  readonly accept: (receipts: readonly Stored[], leaves: readonly Uint8Array[]) => void
}

/** The one writer: groups, commits, and after a failure goes back to what was acknowledged. */
export interface Writer {
  readonly append: (drafts: readonly Draft[], seal: Seal) => Promise<readonly Result[]>
  /** The tree of everything acknowledged. */
  readonly edge: () => Edge
  readonly fault: () => LedgerFault | undefined
  /** Takes nothing more, for good: the log is not what it was. */
  latch(fault: LedgerFault): void
  /** Resolves once the journal may be written to, or a fault says why not. */
  start(): Promise<void>
  /** Takes nothing more, and resolves when what was taken is done. */
  close(): Promise<void>
}

export function createWriter(options: WriterOptions): Writer {
  const { journal, reserve, crypto, clock, state } = options
  const sealer = createSealer(crypto, state, options.edge)
  let { edge } = options
  let fault: LedgerFault | undefined
  /** Why it writes nothing more, whatever happens. */
  let latched: LedgerFault | undefined
  let isClosed = false

  let isRunning = false
  let idle = Promise.resolve()
  let isSyncing = false

  let repairDue = false
  let repairAwaited = false
  let pause = firstPause
  const closing = createCancel()

  function append(drafts: readonly Draft[], seal: Seal): Promise<readonly Result[]> {
    const refused = refusal(drafts)
    if (refused !== undefined) return Promise.reject(errorOf(refused))
    return new Promise((resolve, reject) => {
      sealer.add({ drafts, seal, resolve, reject })
      if (isSyncing) sealer.seal(mostEntries)
      wake()
    })
  }

  function refusal(drafts: readonly Draft[]): LedgerFault | undefined {
    if (isClosed) return faultOf('LEDGER_UNAVAILABLE', 'the ledger is closed', 'open it again')
    if (fault?.code === 'LEDGER_FULL' && journal.ready && mayUseReserve(drafts)) return undefined
    return fault
  }

  function wake(): void {
    if (!isRunning) idle = run()
  }

  async function run(): Promise<void> {
    isRunning = true
    while (repairDue || sealer.waiting > 0) {
      if (repairDue) await repair()
      else await commitBatch()
    }
    isRunning = false
  }

  async function commitBatch(): Promise<void> {
    let batch: SealedBatch | undefined
    try {
      // A call to the disk is also a turn of the event loop: callers of the same turn join.
      await sealingMeanwhile(journal.guard(), fewEntries)
      // Half of those who wait go ahead, and the others are sealed while these are synced: with many
      // callers neither signer nor disk waits for the other.
      sealer.seal(Math.min(mostEntries, Math.max(leastEntries, sealer.waiting / 2)))
      batch = sealer.take()
      if (batch.receipts.length > 0) {
        const note = options.sign(batch.before)
        await sealingMeanwhile(journal.write(batch, note), fewEntries)
        isSyncing = true
        await sealingMeanwhile(journal.sync(batch), mostEntries)
      }
    } catch (error) {
      isSyncing = false
      await fail(error, batch)
      return
    }
    isSyncing = false
    acknowledge(batch)
  }

  function sealingMeanwhile(work: Promise<void>, entries: number): Promise<void> {
    // Heard of where it is awaited, which is later than it may fail.
    work.catch(() => undefined)
    sealer.seal(entries)
    return work
  }

  function acknowledge({ after, receipts, leaves, waiting }: SealedBatch): void {
    edge = after
    options.accept(receipts, leaves)
    for (const { results, resolve } of waiting) resolve(results)
  }

  async function fail(error: unknown, batch: SealedBatch | undefined): Promise<void> {
    const why = faultFrom(error)
    note(error)
    const waiting = [...(batch?.waiting ?? []), ...sealer.reset(edge)]
    await journal.stop()
    // First cut, then say no: what is refused must not be found at the next start. Only if the cut
    // fails too, and the process ends before a later one succeeds, may it be.
    await repair()
    for (const { reject } of waiting) reject(errorOf(why, error))
  }

  const isLatched = () => latched !== undefined

  function note(error: unknown): void {
    fault = latched ?? faultFrom(error)
    if (isKernelError(error, 'LEDGER_LOCKED')) latched = fault
  }

  /** One attempt to be whole again; when it fails the next is due after a pause. */
  async function repair(fresh = true): Promise<void> {
    repairDue = false
    if (isLatched()) return
    try {
      if (!journal.ready) {
        if (fault?.code === 'LEDGER_FULL') await reserve.release()
        await journal.start(fresh)
      }
      await reserve.make()
      fault = latched
      pause = firstPause
    } catch (error) {
      note(error)
      if (!isLatched() && !repairAwaited) void repairLater()
    }
  }

  async function repairLater(): Promise<void> {
    repairAwaited = true
    await clock.sleep(pause, closing)
    repairAwaited = false
    pause = Math.min(pause * 2, longestPause)
    if (isClosed) return
    repairDue = true
    wake()
  }

  return {
    append,
    edge: () => edge,
    fault: () => fault,
    latch(why) {
      if (latched === undefined) fault = latched = why
    },
    start: () => repair(false),
    async close() {
      isClosed = true
      closing.abort()
      await idle
      if (!journal.ready) await repair(false)
      await journal.stop()
    },
  }
}
