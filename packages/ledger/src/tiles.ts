import { KernelError, type Tile, type Tiles } from '@helm-ai-kernel/core'
import { encodeEntries, hashBytes, tileWidth } from '@helm-ai-kernel/core/log'
import { hashTiles } from './hash-tiles.ts'
import { createReader } from './reader.ts'
import type { LogSource } from './read-log.ts'
import { tileFile } from './tile-file.ts'
import type { Tower } from './tower.ts'

/** The tiles of the first `size()` entries: a partial one is the beginning of what it becomes. */
export function serveTiles(
  source: LogSource,
  tower: Pick<Tower, 'tile'>,
  size: () => number,
): Tiles['tile'] {
  const hashes = hashTiles(source.disk, tower)

  async function readEntries({ index, width }: Tile): Promise<Uint8Array> {
    const { entry } = createReader(source)
    const entries: Uint8Array[] = []
    for (let i = 0; i < width; i++) entries.push(await entry(index * tileWidth + i))
    return encodeEntries(entries)
  }

  return async (tile) => {
    const { level, index, width } = tile
    if (!isTile(tile)) return undefined
    const leaves = tileWidth ** (level === 'entries' ? 0 : level)
    if ((index * tileWidth + width) * leaves > size()) return undefined
    if (level === 'entries') return readEntries(tile)
    const bytes = await hashes.tile(tile)
    if (bytes?.length === width * hashBytes) return bytes
    throw new KernelError('LEDGER_CORRUPT', `${tileFile(level, index)} is missing or cut off`)
  }
}

function isTile({ level, index, width }: Tile): boolean {
  const numbers = [level === 'entries' ? 0 : level, index, width]
  return numbers.every((n) => Number.isSafeInteger(n) && n >= 0) && width >= 1 && width <= tileWidth
}
