import {
  type Crypto,
  type Draft,
  type LedgerIdentity,
  type RefusedDraft,
  scopeKey,
  type Seal,
  type Stored,
} from '@helm-ai-kernel/core'
import { createRange, leafHash, nodeHash, tileWidth } from '@helm-ai-kernel/core/log'
import { createState, type StateFields, type StateFold } from '@helm-ai-kernel/core/receipt'
import type { Edge } from './tip.ts'

export type Result = Stored | RefusedDraft

/** A caller of `append`. */
export interface Call {
  readonly drafts: readonly Draft[]
  readonly seal: Seal
  readonly resolve: (results: readonly Result[]) => void
  readonly reject: (error: unknown) => void
  /** Whether a checkpoint is to be published with it. */
  readonly publishes?: boolean
}

/** A caller whose drafts are sealed. */
export interface Waiting extends Pick<Call, 'resolve' | 'reject'> {
  readonly results: readonly Result[]
}

/** A tile of hashes that this batch fills, and the hash over it. */
export interface FullTile {
  readonly level: number
  readonly index: number
  readonly root: Uint8Array
}

/** What is committed as one. */
export interface Batch {
  readonly receipts: readonly Stored[]
  readonly leaves: readonly Uint8Array[]
  readonly tiles: readonly FullTile[]
  readonly waiting: readonly Waiting[]
  /** After it. */
  readonly state: StateFold
  readonly edge: Edge
}

/**
 * Seals calls in their order on top of what was read under the lock; one whose seal throws is rejected
 * and leaves nothing.
 */
export function sealBatch(
  crypto: Crypto,
  identity: LedgerIdentity,
  fields: StateFields,
  edge: Edge,
  calls: readonly Call[],
): Batch {
  const state = createState(identity, fields)
  const tree = createRange(crypto, edge)
  const receipts: Stored[] = []
  const leaves: Uint8Array[] = []
  const tiles: FullTile[] = []
  const waiting: Waiting[] = []

  for (const { drafts, seal, resolve, reject } of calls) {
    try {
      const results = seal(state, drafts).map((sealed): Result => {
        if ('refused' in sealed) return sealed
        const receipt: Stored = Object.freeze({ ...sealed, logIndex: tree.size })
        const leaf = leafHash(crypto, receipt.entry)
        tiles.push(...filledBy(crypto, tree.size, tree.hashes(), leaf))
        state.apply(receipt)
        tree.append(leaf)
        receipts.push(receipt)
        leaves.push(leaf)
        return receipt
      })
      waiting.push({ results, resolve, reject })
    } catch (error) {
      reject(error)
    }
  }
  const after = { size: tree.size, hashes: tree.hashes() }
  return { receipts, leaves, tiles, waiting, state, edge: after }
}

/** Keys of the scopes that a call's drafts are of. */
export function scopesOf({ drafts }: Call): readonly string[] {
  return drafts.map(({ scope }) => scopeKey(scope))
}

/** The tiles that the leaf after `size` others fills: of level 0, and of each level that this fills. */
function filledBy(
  crypto: Crypto,
  size: number,
  edge: readonly Uint8Array[],
  leaf: Uint8Array,
): readonly FullTile[] {
  const tiles: FullTile[] = []
  let root = leaf
  let left = edge.length
  for (let level = 0, rest = size + 1; rest % tileWidth === 0; level++) {
    rest /= tileWidth
    // A tile is eight levels of the tree; the edge has the left half of each.
    for (let height = 0; height < 8; height++) root = nodeHash(crypto, edge[--left] ?? root, root)
    tiles.push({ level, index: rest - 1, root })
  }
  return tiles
}
