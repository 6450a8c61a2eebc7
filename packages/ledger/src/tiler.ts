import {
  type Clock,
  createCancel,
  equalBytes,
  type Held,
  isKernelError,
  KernelError,
} from '@helm-ai-kernel/core'
import { encodeEntries, leafHash, tileWidth } from '@helm-ai-kernel/core/log'
import { all } from './all.ts'
import { messageOf } from './fault.ts'
import type { Notices } from './notices.ts'
import { readSegments } from './reader.ts'
import type { LogSource } from './read-log.ts'
import { replaceFile } from './replace-file.ts'
import { hashAt, readBundle, tileFile } from './tile-file.ts'
import type { HashTile, Tower } from './tower.ts'

export interface TilerOptions {
  readonly source: LogSource
  readonly held: Held
  readonly clock: Clock
  readonly tower: Tower
  /** Removes the segments that begin before a log index. */
  readonly retire: (before: number) => Promise<void>
  readonly notices: Notices
  /** What was read back is not what was written. */
  readonly corrupt: (detail: string) => void
  /** Called with the entries in tiles whenever there are more; must not reject. */
  readonly tiled: (entries: number) => Promise<void>
}

/** Turns segments that are full and durable into tiles, behind the back of whoever appends. */
export interface Tiler {
  /** There may be something to do. */
  wake(): void
  /** Stops, when what is under way is done. */
  close(): Promise<void>
}

/** So many are made side by side: under load a process has few turns, and each step takes one. */
const mostBlocks = 16
const firstPause = 100
const longestPause = 60_000
const notice = 'tiles'

/** `blocks` tiles of entries are made, and their segments gone. */
export function createTiler(options: TilerOptions, blocks: number): Tiler {
  const { source, held, clock, tower, notices } = options
  const { disk, crypto } = source
  const closing = createCancel()
  let made = blocks
  let removed = blocks
  let isRunning = false
  let idle = run()

  // A segment is closed, and so may go, once an entry after it is durable.
  const due = () => Math.floor((tower.size - 1) / tileWidth) - removed

  /** How many tiles of hashes there are up to the one over the entries of block `count`, exclusive. */
  function hashTilesOf(count: number): number {
    let blocks = 0
    const end = tower.full.findIndex(({ level }) => level === 0 && blocks++ === count)
    return end === -1 ? tower.full.length : end
  }

  /** Writes the bundle of a tile's entries, read back from its segments. */
  async function bundle({ index, hashes }: HashTile): Promise<void> {
    const entries = await readSegments(source, index)
    const isRight = entries.every((entry, i) =>
      equalBytes(leafHash(crypto, entry), hashAt(hashes, i)),
    )
    // Some of the segments went before the process ended that removed them: then the tile is good.
    if (isRight && entries.length < tileWidth && (await hasTile(index, hashes))) return
    if (!isRight || entries.length !== tileWidth) {
      const first = index * tileWidth
      throw new KernelError(
        'LEDGER_CORRUPT',
        `the segments of entries ${first} to ${first + tileWidth - 1} are not what was written`,
      )
    }
    await replaceFile(disk, tileFile('entries', index), encodeEntries(entries))
  }

  async function hasTile(index: number, hashes: Uint8Array): Promise<boolean> {
    const found = await readBundle(disk, crypto, index)
    return found?.leaves.every((leaf, i) => equalBytes(leaf, hashAt(hashes, i))) ?? false
  }

  /** Makes all tiles that `count` blocks fill. */
  async function make(count: number): Promise<void> {
    const tiles = tower.full.slice(0, hashTilesOf(count))
    // Entries last: where they are, their hashes are too.
    await all(tiles.map((tile) => replaceFile(disk, tileFile(tile.level, tile.index), tile.hashes)))
    await all(tiles.filter(({ level }) => level === 0).map(bundle))
    tower.release(tiles.length)
    made += count
  }

  async function step(): Promise<void> {
    // Not over the files of somebody who took the lock.
    await held.check()
    if (made === removed) await make(Math.min(due(), mostBlocks))
    // INVARIANT: a segment goes only after each tile over its entries is durable.
    await options.retire(made * tileWidth)
    removed = made
    await options.tiled(removed * tileWidth)
  }

  async function run(): Promise<void> {
    isRunning = true
    let pause = firstPause
    await options.tiled(removed * tileWidth)
    while (due() > 0 && !closing.aborted) {
      try {
        await step()
        notices.clear(notice)
        pause = firstPause
      } catch (error) {
        if (isKernelError(error, 'LEDGER_CORRUPT')) {
          options.corrupt(error.message)
          break
        }
        notices.raise(notice, `full segments are kept, for no tiles are made: ${messageOf(error)}`)
        await clock.sleep(pause, closing)
        pause = Math.min(pause * 2, longestPause)
      }
    }
    isRunning = false
  }

  return {
    wake() {
      if (!isRunning && due() > 0 && !closing.aborted) idle = run()
    },
    async close() {
      closing.abort()
      await idle
    },
  }
}
