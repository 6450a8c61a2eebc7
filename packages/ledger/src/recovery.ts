import { isKernelError, type LedgerFault, type LedgerIdentity } from '@helm-ai-kernel/core'
import { createRange } from '@helm-ai-kernel/core/log'
import type { Edge } from './batch.ts'
import { checkNext, storedEntry } from './chain.ts'
import { createFold, type Fold } from './fold.ts'
import type { Head } from './head.ts'
import { hashTiles } from './hash-tiles.ts'
import { judge } from './judge.ts'
import { findOverlap } from './overlap.ts'
import { createPositions, type Positions } from './positions.ts'
import { readPublished } from './published.ts'
import { type LogEnd, type LogSource, readLog } from './read-log.ts'
import { createRecent, type Recent } from './recent.ts'
import { findStart } from './start.ts'
import { type Snapshot, stateEntries } from './state-file.ts'
import type { Stretch } from './tile-file.ts'
import { readTip } from './tip.ts'
import type { Tower } from './tower.ts'

/** So many of the newest receipts, at least, are kept whole in memory: some 4 kB each. */
const keptReceipts = 1024

/** What the files of a ledger say. */
export interface Recovered {
  readonly fold: Fold
  readonly edge: Edge
  readonly tower: Tower
  readonly positions: Positions
  readonly recent: Recent
  readonly end: LogEnd
  /** A state newer than the one in the file. */
  readonly newer: Snapshot | undefined
  /** The slot of the tip to write next. */
  readonly tipSlot: number
  readonly published: Head | undefined
  /** Why nothing may be appended; the state is then that of the good beginning. */
  readonly fault: LedgerFault | undefined
}

export interface Recovery {
  readonly source: LogSource
  readonly identity: LedgerIdentity
  /** Of whoever opens it to write, and so alone; undefined for a reader beside the writer. */
  readonly logPublicKey?: Uint8Array
  readonly warn: (message: string) => void
}

/**
 * Reads a ledger, from the kept state on where that is good, and holds it against its tip and its
 * checkpoint. Changes nothing.
 */
export async function recover(options: Recovery): Promise<Recovered> {
  const { source, identity, logPublicKey, warn } = options
  const { disk, crypto } = source
  // Heads first: whatever they say was durable then, also when another process is writing.
  const tips = await readTip(disk)
  const published = await readPublished(disk)
  const sizes = new Set([...tips, published].map((head) => head?.claim.size))

  const { kept, tower } = await findStart({ disk, crypto, identity, logPublicKey, warn })
  const readFrom = tower.size
  const fold = createFold(identity, kept)
  const range = createRange(crypto, kept?.edge)
  const positions = createPositions({ disk, crypto, kept })
  const recent = createRecent(keptReceipts)
  const roots = new Map<number, Uint8Array>()
  let newer: Snapshot | undefined
  let broken: string | undefined
  noteRoot()

  function noteRoot(): void {
    if (sizes.has(range.size)) roots.set(range.size, range.root())
  }

  function take({ first, entries, leaves }: Stretch): void {
    for (const [i, leaf] of leaves.entries()) {
      const receipt = storedEntry(crypto, first + i, entries[i]?.slice() ?? new Uint8Array())
      checkNext(crypto, fold.state, receipt)
      fold.apply(receipt)
      range.append(leaf)
      noteRoot()
      positions.add(receipt)
      recent.add(receipt)
      if (range.size % stateEntries !== 0) continue
      newer = fold.snapshot(positions.digest())
      positions.forget()
    }
  }

  const end = await readLog(source, tower, (stretch) => {
    try {
      if (broken === undefined) take(stretch)
    } catch (error) {
      if (!isKernelError(error)) throw error
      broken = error.message
    }
  })
  if (end.flaw === undefined && logPublicKey !== undefined) {
    broken ??= await findOverlap(source, tower, end)
  }

  const keys = [...(logPublicKey === undefined ? [] : [logPublicKey]), ...fold.logKeys()]
  const tiles = hashTiles(disk, tower)
  const log = { crypto, identity, keys, end, broken, roots, tiles, readFrom }
  const { fault, tipSlot } = await judge({ tips, published }, log)
  const edge = { size: range.size, hashes: range.hashes() }
  return { fold, edge, tower, positions, recent, end, newer, tipSlot, published, fault }
}
