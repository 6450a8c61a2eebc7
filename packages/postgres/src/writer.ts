import {
  type Clock,
  createCancel,
  type Crypto,
  type Draft,
  type KeyId,
  type LedgerFault,
  type Seal,
} from '@helm-ai-kernel/core'
import { type Batch, type Call, type Result, scopesOf, sealBatch } from './batch.ts'
import type { Client } from './client.ts'
import { closed, errorOf, faultFrom } from './fault.ts'
import { createLink } from './link.ts'
import type { Memory } from './memory.ts'
import type { Schema } from './schema.ts'
import { tileReader } from './tiles.ts'
import type { Edge, Tip } from './tip.ts'
import { commit, lockTip, rollBack, wasCommitted } from './transaction.ts'

/** Neither the event loop nor the other replicas are held up by more. */
const mostEntries = 256
/** Of so many callers the scopes are read with the lock. */
const mostCalls = 512

export interface WriterOptions {
  /** Connects to a database that was checked, and whose log goes on from what is remembered. */
  readonly connect: () => Promise<Client>
  readonly schema: Schema
  readonly crypto: Crypto
  readonly clock: Clock
  readonly memory: Memory
  /** Least time between two checkpoints, ms. */
  readonly interval: number
  /** The receipt key that `sign` goes with. */
  readonly keyId: KeyId
  /** Signs the head of a tree. */
  readonly sign: (edge: Edge, tip: Tip) => Uint8Array
  /** Called when a batch is durable, before whoever waits for it hears of it. */
  readonly accept: (size: number, checkpoint: Uint8Array | undefined) => void
}

/** Groups what callers append, and commits it: one transaction at a time. */
export interface Writer {
  readonly append: (drafts: readonly Draft[], seal: Seal) => Promise<readonly Result[]>
  readonly publish: () => Promise<void>
  readonly fault: () => LedgerFault | undefined
  /** The database does not answer, or is not what it was. */
  readonly lose: (error: unknown) => void
  /** Connects, or leaves a fault and goes on trying. Throws what no waiting can mend. */
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

export function createWriter(options: WriterOptions): Writer {
  const { schema, crypto, clock, memory, interval } = options
  const closing = createCancel()
  const calls: Call[] = []
  let isRunning = false
  let isClosed = false
  let idle = Promise.resolve()

  let publishedSize = -1
  let publishedAt = -Infinity
  let isPublishAwaited = false

  const link = createLink({
    clock,
    connect: options.connect,
    wasCommitted: (client, batch) => wasCommitted(client, schema, batch),
    accept: (batch) => acknowledge(batch, undefined),
    onReady() {
      wake()
      // What was appended before the connection was lost, or by a replica that died.
      void publishLater()
    },
    onFault(error) {
      for (const { reject } of calls.splice(0)) reject(error)
    },
  })

  function take(call: Omit<Call, 'resolve' | 'reject'>): Promise<readonly Result[]> {
    const fault = isClosed ? closed : link.fault
    if (fault !== undefined) return Promise.reject(errorOf(fault))
    return new Promise((resolve, reject) => {
      calls.push({ ...call, resolve, reject })
      wake()
    })
  }

  function wake(): void {
    if (!isRunning) idle = run()
  }

  async function run(): Promise<void> {
    isRunning = true
    while (calls.length > 0 && link.client !== undefined) await commitBatch(link.client)
    isRunning = false
  }

  async function commitBatch(client: Client): Promise<void> {
    const before = memory.edge
    const wanted = new Set(calls.slice(0, mostCalls).flatMap(scopesOf))
    let taken: readonly Call[] = []
    try {
      const { tip, scopes, leaves } = await lockTip(client, schema, wanted, before.size)
      const tiles = tileReader((statement) => client.run(statement), crypto, schema)
      await memory.follow(before, tip, leaves, tiles)
      noteCheckpoint(tip.checkpointSize)
      // Whoever came while the lock was waited for is in it too.
      taken = nextCalls(wanted)
      const batch = sealBatch(crypto, tip.identity, { ...tip.fields, scopes }, tip.edge, taken)
      // INVARIANT: a checkpoint is signed by the log key of the key that signs the receipts.
      const isOwn = [undefined, options.keyId].includes(batch.state.key)
      const isSigned = isOwn && isDue(taken, batch.edge)
      const checkpoint = isSigned ? options.sign(batch.edge, tip) : undefined
      if (batch.receipts.length === 0 && checkpoint === undefined) {
        await rollBack(client)
        acknowledge(batch, checkpoint)
        return
      }
      const end = await commit(client, schema, batch, taken.flatMap(scopesOf), checkpoint)
      if (end.is === 'unknown') {
        link.lose(end.error, { unknown: batch })
        return
      }
      if (end.is === 'refused') throw end.error
      acknowledge(batch, checkpoint)
    } catch (error) {
      link.lose(error, { client })
      for (const { reject } of taken) reject(errorOf(faultFrom(error), error))
    }
  }

  /** Callers in their order, as long as the states of their scopes were read and there is room. */
  function nextCalls(known: ReadonlySet<string>): readonly Call[] {
    let entries = 0
    const end = calls.findIndex((call) => {
      entries += call.drafts.length
      const isFull = entries > mostEntries && entries > call.drafts.length
      return isFull || !scopesOf(call).every((key) => known.has(key))
    })
    return calls.splice(0, end === -1 ? calls.length : end)
  }

  function acknowledge(batch: Batch, checkpoint: Uint8Array | undefined): void {
    memory.accept(batch.edge)
    if (checkpoint !== undefined) noteCheckpoint(batch.edge.size)
    options.accept(batch.edge.size, checkpoint)
    for (const { results, resolve } of batch.waiting) resolve(results)
    if (batch.edge.size !== publishedSize) void publishLater()
  }

  /** Published by whichever replica. */
  function noteCheckpoint(size: number): void {
    if (size === publishedSize) return
    publishedSize = size
    publishedAt = clock.monotonic()
  }

  function isDue(taken: readonly Call[], { size }: Edge): boolean {
    if (size === publishedSize) return false
    return (
      clock.monotonic() - publishedAt >= interval || taken.some((call) => call.publishes === true)
    )
  }

  async function publishLater(): Promise<void> {
    if (isPublishAwaited || isClosed) return
    isPublishAwaited = true
    await clock.sleep(Math.max(0, publishedAt + interval - clock.monotonic()), closing)
    isPublishAwaited = false
    if (memory.edge.size === publishedSize) return
    // A failure is in `fault`; what is appended next publishes again.
    await publish().catch(() => undefined)
  }

  async function publish(): Promise<void> {
    await take({ drafts: [], seal: () => [], publishes: true })
  }

  return {
    append: (drafts, seal) => take({ drafts, seal }),
    publish,
    fault: () => link.fault,
    lose: link.lose,
    start: link.start,
    async close() {
      closing.abort()
      await publish().catch(() => undefined)
      isClosed = true
      await idle
      await link.close()
    },
  }
}
