import { type Crypto, type Disk, KernelError, type Tile } from '@helm-ai-kernel/core'
import { hashBytes, tileWidth } from '@helm-ai-kernel/core/log'
import { fullTileBytes, readHashes, rootOfTile, tileFile } from './tile-file.ts'

/** The hashes of a tile that is full. */
export interface HashTile {
  readonly level: number
  readonly index: number
  readonly hashes: Uint8Array
}

/** The right edge of a log's tree, tile by tile: the hashes that are in no file yet. */
export interface Tower {
  /** Leaves. */
  readonly size: number
  /** Full tiles that are not released, in the order in which they became full. */
  readonly full: readonly HashTile[]
  append(leaf: Uint8Array): void
  /** Forgets the first `count` full tiles: they are in files. */
  release(count: number): void
  /** The bytes of a tile, or of the beginning of one; undefined when they are not here. */
  tile(tile: Tile): Uint8Array | undefined
}

/** The last tile of a level. */
interface Unfinished {
  readonly hashes: Uint8Array
  /** Hashes of the level in tiles before this one, and in it. */
  count: number
}

/** The tower of an empty log, or of one whose first `blocks` tiles of entries are in files. */
export function createTower(crypto: Crypto, partials: Unfinished[] = []): Tower {
  const full: HashTile[] = []
  let size = partials[0]?.count ?? 0

  function push(level: number, hash: Uint8Array): void {
    const partial = (partials[level] ??= { hashes: new Uint8Array(fullTileBytes), count: 0 })
    partial.hashes.set(hash, (partial.count % tileWidth) * hashBytes)
    partial.count++
    if (partial.count % tileWidth !== 0) return
    const hashes = partial.hashes.slice()
    full.push({ level, index: partial.count / tileWidth - 1, hashes })
    push(level + 1, rootOfTile(crypto, hashes))
  }

  return {
    get size() {
      return size
    },
    full,
    append(leaf) {
      push(0, leaf)
      size++
    },
    release: (count) => void full.splice(0, count),
    tile({ level, index, width }) {
      const partial = level === 'entries' ? undefined : partials[level]
      if (partial === undefined) return undefined
      const bytes = width * hashBytes
      const known = full.find((tile) => tile.level === level && tile.index === index)
      if (known !== undefined) return known.hashes.slice(0, bytes)
      const here = partial.count - index * tileWidth
      return here >= width && here < tileWidth ? partial.hashes.slice(0, bytes) : undefined
    },
  }
}

/**
 * The tower over the first `blocks` full tiles of entries, from the tiles of hashes at the right edge:
 * at most 255 of each level. Throws `LEDGER_CORRUPT` when one of them is missing.
 */
export async function restoreTower(disk: Disk, crypto: Crypto, blocks: number): Promise<Tower> {
  const partials: Unfinished[] = []
  if (blocks > 0)
    partials.push({ hashes: new Uint8Array(fullTileBytes), count: blocks * tileWidth })
  for (let count = blocks; count > 0; count = Math.floor(count / tileWidth)) {
    const below = partials.length - 1
    const hashes = new Uint8Array(fullTileBytes)
    const first = count - (count % tileWidth)
    for (let index = first; index < count; index++) {
      const tile = await readHashes(disk, below, index)
      if (tile === undefined) {
        throw new KernelError('LEDGER_CORRUPT', `${tileFile(below, index)} is missing`)
      }
      hashes.set(rootOfTile(crypto, tile), (index - first) * hashBytes)
    }
    partials.push({ hashes, count })
  }
  return createTower(crypto, partials)
}
