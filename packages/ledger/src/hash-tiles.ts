import type { Disk } from '@helm-ai-kernel/core'
import { hashBytes, type TileReader } from '@helm-ai-kernel/core/log'
import { readFile } from './read-file.ts'
import { tileFile } from './tile-file.ts'
import type { Tower } from './tower.ts'

/** The hashes of a log's tree, from memory or from files. */
export function hashTiles(disk: Disk, tower: Pick<Tower, 'tile'>): TileReader {
  return {
    async tile(tile) {
      const { level, index, width } = tile
      // The tower first: what it no longer has is in a file by then.
      return tower.tile(tile) ?? (await readFile(disk, tileFile(level, index), width * hashBytes))
    },
  }
}
