import { type Cancel, type Clock, equalBytes } from '@helm-ai-kernel/core'
import { rootOfTiles, tileWidth } from '@helm-ai-kernel/core/log'
import { messageOf } from './fault.ts'
import { hashTiles } from './hash-tiles.ts'
import type { Notices } from './notices.ts'
import { type LogSource, readTile } from './read-log.ts'
import { tileFile } from './tile-file.ts'
import { createTower, type Tower } from './tower.ts'

export interface Scrubbing {
  readonly source: LogSource
  readonly clock: Clock
  readonly cancel: Cancel
  readonly notices: Notices
  /** The tree that the start found to be what the heads say. */
  readonly tower: Tower
  /** Full tiles of entries. */
  readonly tiled: number
  /** Hears of what is wrong, with the file's name. */
  readonly corrupt: (detail: string) => void
}

/** Between two tiles, ms: a million receipts take a minute or two. */
const pause = 16

/**
 * Reads all tiles once, one at a time: a start looks at the right edge alone, and what is wrong below
 * it is found here.
 */
export async function scrub(options: Scrubbing): Promise<void> {
  const { source, clock, cancel, notices, tiled, corrupt } = options
  const { disk, crypto } = source
  const tower = createTower(crypto)
  try {
    for (let index = 0; index < tiled; index++) {
      await clock.sleep(pause, cancel)
      if (cancel.aborted) return
      const found = await readTile(source, tower, tiled, () => undefined)
      if (found === 'good') continue
      corrupt(found === 'none' ? `${tileFile('entries', index)} is missing` : found.detail)
      return
    }
    const size = tiled * tileWidth
    const found = await rootOfTiles(crypto, hashTiles(disk, tower), size)
    const known = await rootOfTiles(crypto, hashTiles(disk, options.tower), size)
    if (!equalBytes(found, known)) corrupt(`the first ${size} entries are not those of the log`)
  } catch (error) {
    notices.raise('scrub', `the tiles of the ledger cannot be read: ${messageOf(error)}`)
  }
}
