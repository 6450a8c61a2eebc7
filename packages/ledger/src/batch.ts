import type { RefusedDraft, Stored } from '@helm-ai-kernel/core'
import { createFrames, type Frames } from './frame.ts'
import { segmentEntries } from './segment.ts'

export type Result = Stored | RefusedDraft

/** The tree at one size: enough to go on from and to sign. */
export interface Edge {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
}

/** A caller of `append`, once its drafts are sealed. */
export interface Waiting {
  readonly results: readonly Result[]
  readonly resolve: (results: readonly Result[]) => void
  readonly reject: (error: unknown) => void
}

/** The frames of one segment. */
export interface Part {
  /** Log index of the first. */
  readonly first: number
  readonly frames: Frames
}

/** What is written and synced as one. */
export interface Batch {
  /** The tree before it. */
  readonly before: Edge
  readonly receipts: readonly Stored[]
  /** The leaf hash of each. */
  readonly leaves: readonly Uint8Array[]
  readonly waiting: Waiting[]
  readonly parts: readonly Part[]
  add(receipt: Stored, leaf: Uint8Array): void
}

export function createBatch(before: Edge): Batch {
  const receipts: Stored[] = []
  const leaves: Uint8Array[] = []
  const parts: Part[] = []
  return {
    before,
    receipts,
    leaves,
    waiting: [],
    parts,
    add(receipt, leaf) {
      const { logIndex, entry } = receipt
      let part = parts.at(-1)
      if (part === undefined || logIndex % segmentEntries === 0) {
        part = { first: logIndex, frames: createFrames() }
        parts.push(part)
      }
      part.frames.append(logIndex, before.size, entry)
      receipts.push(receipt)
      leaves.push(leaf)
    },
  }
}
