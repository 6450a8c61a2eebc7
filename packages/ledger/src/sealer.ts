import type { Crypto, Draft, RefusedDraft, Seal, Sealed, Stored } from '@helm-ai-kernel/core'
import { createRange, leafHash } from '@helm-ai-kernel/core/log'
import type { StateFold } from '@helm-ai-kernel/core/receipt'
import { type Batch, createBatch, type Edge, type Result, type Waiting } from './batch.ts'

/** A caller of `append` whose drafts are not sealed yet. */
export interface Call extends Omit<Waiting, 'results'> {
  readonly drafts: readonly Draft[]
  readonly seal: Seal
}

export interface SealedBatch extends Batch {
  readonly after: Edge
}

/** Turns calls into a batch, on top of everything sealed before: the log as it will be. */
export interface Sealer {
  /** Callers whose drafts are in no batch that was taken. */
  readonly waiting: number
  add(call: Call): void
  /** Seals calls in their order, until the batch has so many entries. */
  seal(entries: number): void
  /** The batch so far, and the tree after it; another begins. */
  take(): SealedBatch
  /** Goes back to what was acknowledged, and gives everybody who waited. */
  reset(edge: Edge): readonly Pick<Waiting, 'reject'>[]
}

/** `state` and `edge` are of everything acknowledged; the first is read again by `reset`. */
export function createSealer(crypto: Crypto, state: StateFold, edge: Edge): Sealer {
  let ahead = state.fork()
  let tree = createRange(crypto, edge)
  let calls: Call[] = []
  let batch = createBatch(edge)

  function place(sealed: Sealed | RefusedDraft): Result {
    if ('refused' in sealed) return sealed
    const receipt: Stored = Object.freeze({ ...sealed, logIndex: tree.size })
    ahead.apply(receipt)
    const leaf = leafHash(crypto, receipt.entry)
    tree.append(leaf)
    batch.add(receipt, leaf)
    return receipt
  }

  return {
    get waiting() {
      return calls.length + batch.waiting.length
    },
    add: (call) => calls.push(call),
    seal(entries) {
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
    },
    take() {
      const after = { size: tree.size, hashes: tree.hashes() }
      const taken = { ...batch, after }
      batch = createBatch(after)
      return taken
    },
    reset(acknowledged) {
      const waiting = [...batch.waiting, ...calls]
      ahead = state.fork()
      tree = createRange(crypto, acknowledged)
      calls = []
      batch = createBatch(acknowledged)
      return waiting
    },
  }
}
