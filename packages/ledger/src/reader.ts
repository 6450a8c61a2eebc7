import { KernelError, type Stored } from '@helm-ai-kernel/core'
import { tileWidth } from '@helm-ai-kernel/core/log'
import { storedEntry } from './chain.ts'
import { readFile } from './read-file.ts'
import type { LogSource } from './read-log.ts'
import { listSegments, readSegment, segmentPath } from './segment.ts'
import { readBundle } from './tile-file.ts'

/** Reads what is known to be in the log, wherever it is now. Keeps the tile that it read last. */
export interface Reader {
  /** Throws `LEDGER_CORRUPT`. */
  entry(logIndex: number): Promise<Uint8Array>
  /** Throws `LEDGER_CORRUPT`. */
  receipt(logIndex: number): Promise<Stored>
}

/** While it is read, a segment may become a tile: then it is looked for there, and once more. */
const maxAttempts = 4
/** An entry takes a tenth of a millisecond to take apart. */
export const receiptsInTurn = 32

/** A reader for one pass. */
export function createReader(source: LogSource): Reader {
  let first = NaN
  let entries: readonly Uint8Array[] = []

  async function entry(logIndex: number): Promise<Uint8Array> {
    const block = Math.floor(logIndex / tileWidth)
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if (first === block * tileWidth) {
        const known = entries[logIndex - first]
        if (known !== undefined) return known
      }
      entries = await readBlock(source, block)
      first = block * tileWidth
    }
    throw new KernelError(
      'LEDGER_CORRUPT',
      `entry ${logIndex} cannot be read; run \`ledger verify\``,
    )
  }

  return {
    entry,
    async receipt(logIndex) {
      return storedEntry(source.crypto, logIndex, (await entry(logIndex)).slice())
    },
  }
}

/** The entries of a tile, or of its segments when it is not made yet: as many as there are. */
async function readBlock(source: LogSource, block: number): Promise<readonly Uint8Array[]> {
  const bundle = await readBundle(source.disk, source.crypto, block)
  return bundle?.entries ?? (await readSegments(source, block))
}

/** The entries of a tile that are in segments, from its first one without a gap. */
export async function readSegments(
  { disk, ledgerId }: LogSource,
  block: number,
): Promise<readonly Uint8Array[]> {
  const begin = block * tileWidth
  const entries: Uint8Array[] = []
  for (const first of await listSegments(disk)) {
    if (first !== begin + entries.length || first >= begin + tileWidth) continue
    const bytes = await readFile(disk, segmentPath(first))
    if (bytes !== undefined) readSegment(bytes, first, ledgerId, ({ entry }) => entries.push(entry))
  }
  return entries
}

/** The first `count` receipts of the log, without holding up others. */
export async function* readReceipts(
  source: LogSource,
  count: number,
  turn: () => Promise<void>,
): AsyncGenerator<Stored> {
  const { receipt } = createReader(source)
  for (let logIndex = 0; logIndex < count; logIndex++) {
    if (logIndex % receiptsInTurn === 0) await turn()
    yield await receipt(logIndex)
  }
}
