import {
  type Crypto,
  equalBytes,
  isKernelError,
  KernelError,
  type LedgerIdentity,
  type Tiles,
} from '@helm-ai-kernel/core'
import { claimedCheckpoint, createRange, edgeOfTiles, rootOfTiles } from '@helm-ai-kernel/core/log'
import { type Edge, joinHashes, rootOf, type Tip } from './tip.ts'

/**
 * The newest tip that this replica has seen. What the database shows later must go on from it
 * (design 4.2): a database that was set back shows less, or something else at that size.
 */
export interface Memory {
  readonly identity: LedgerIdentity | undefined
  /** The tree as it was seen last; of no leaves before. */
  readonly edge: Edge
  /**
   * Holds a tip against `before`, which is what was remembered when it was asked for: `leaves` are those
   * from there on, as far as they were read. Throws `LEDGER_ROLLED_BACK`.
   */
  follow(before: Edge, tip: Tip, leaves: readonly Uint8Array[], tiles: TileReader): Promise<void>
  /** Remembers what this replica itself has committed. */
  accept(edge: Edge): void
}

type TileReader = Pick<Tiles, 'tile'>

export function createMemory(crypto: Crypto): Memory {
  let identity: LedgerIdentity | undefined
  let edge: Edge = { size: 0, hashes: [] }

  function accept(next: Edge): void {
    if (next.size > edge.size) edge = next
  }

  async function follow(
    before: Edge,
    tip: Tip,
    leaves: readonly Uint8Array[],
    tiles: TileReader,
  ): Promise<void> {
    if (identity !== undefined && identity.ledgerId !== tip.identity.ledgerId) {
      throw rolledBack(
        `the database now holds ledger ${tip.identity.ledgerId}, not ${identity.ledgerId}`,
      )
    }
    const { size } = tip.edge
    if (size < before.size) {
      throw rolledBack(`the log ends at ${size} entries and has been seen with ${before.size}`)
    }
    const missing = size - before.size
    const goesOn =
      missing <= leaves.length
        ? sameEdge(grown(before, leaves.slice(0, missing)), tip.edge)
        : equalBytes(await rootOfTiles(crypto, tiles, before.size), rootOf(crypto, before))
    if (!goesOn) throw rolledBack(`the first ${before.size} entries are not those that were seen`)
    identity = tip.identity
    accept(tip.edge)
  }

  function grown(from: Edge, leaves: readonly Uint8Array[]): Edge {
    const tree = createRange(crypto, from)
    for (const leaf of leaves) tree.append(leaf)
    return { size: tree.size, hashes: tree.hashes() }
  }

  return {
    get identity() {
      return identity
    },
    get edge() {
      return edge
    },
    follow,
    accept,
  }
}

/** Whether the tip is the edge of the tiles. Throws `LEDGER_CORRUPT`. */
export async function checkTip(crypto: Crypto, tiles: TileReader, { edge }: Tip): Promise<void> {
  try {
    if (sameEdge({ size: edge.size, hashes: await edgeOfTiles(crypto, tiles, edge.size) }, edge))
      return
  } catch (error) {
    if (!isKernelError(error, 'PROOF_INVALID')) throw error
  }
  throw new KernelError(
    'LEDGER_CORRUPT',
    `the tip in the database is not the end of its log of ${edge.size} entries`,
  )
}

/** Holds the log against a checkpoint that was kept outside of it. Throws `LEDGER_ROLLED_BACK`. */
export async function checkRemembered(
  crypto: Crypto,
  tiles: TileReader,
  { identity, edge }: Tip,
  note: Uint8Array,
): Promise<void> {
  const { origin, size, root } = readNote(note)
  if (origin !== identity.origin) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the database holds the log ${identity.origin}, and the checkpoint kept outside of it is of ` +
        `${origin}: name the database of that log in DATABASE_URL, or remove the checkpoint`,
    )
  }
  if (size > edge.size) {
    throw rolledBack(
      `the log ends at ${edge.size} entries, a checkpoint kept outside covers ${size}`,
    )
  }
  if (!equalBytes(await rootOfTiles(crypto, tiles, size), root)) {
    throw rolledBack(`the first ${size} entries are not those of a checkpoint kept outside`)
  }
}

function readNote(note: Uint8Array): ReturnType<typeof claimedCheckpoint> {
  try {
    return claimedCheckpoint(note)
  } catch (cause) {
    throw new KernelError(
      'CONFIG_INVALID',
      'what is kept outside of the database is no checkpoint: put back the one that was, or remove it',
      { cause },
    )
  }
}

export function rolledBack(detail: string): KernelError {
  return new KernelError('LEDGER_ROLLED_BACK', `the database was set back: ${detail}`)
}

function sameEdge(a: Edge, b: Edge): boolean {
  return a.size === b.size && equalBytes(joinHashes(a.hashes), joinHashes(b.hashes))
}
