import { KernelError } from '../error.ts'
import type { Tile } from '../ports/tiles.ts'

// C2SP tlog-tiles. A tile of level L holds hashes of complete subtrees of 256^L leaves each; a bundle
// of `entries` holds the leaves of one tile of level 0.

export const tileWidth = 256
export const hashBytes = 32
/** Hashes of one tile are this many levels of the tree below those of the next. */
const tileHeight = 8
const maxLevel = 63

const form = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** `tile/0/x001/x234/067`, a partial one with `.p/<width>`: its path on disk and below a URL prefix. */
export function tilePath({ level, index, width }: Tile): string {
  const suffix = width === tileWidth ? '' : `.p/${width}`
  return `tile/${level}/${indexPath(index)}${suffix}`
}

/** Undefined when the text is the path of no tile. */
export function parseTilePath(path: string): Tile | undefined {
  const [, level = '', digits = '', width] = form.exec(path) ?? []
  const index = Number(digits.replaceAll(/[x/]/g, ''))
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index,
    width: width === undefined ? tileWidth : Number(width),
  }
  if (digits === '' || !Number.isSafeInteger(index)) return undefined
  if (tile.level !== 'entries' && tile.level > maxLevel) return undefined
  // Formatting again refuses leading zeros, and a partial tile of full width.
  return tile.width <= tileWidth && tilePath(tile) === path ? tile : undefined
}

/** How wide a tile is in a tree of `size` leaves; 0 when the tree does not reach it. */
export function tileWidthAt(size: number, level: number | 'entries', index: number): number {
  const hashes = Math.floor(size / tileWidth ** (level === 'entries' ? 0 : level))
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth))
}

/** Where the hash of a complete subtree is read: in a tile of a tree of `size` leaves. */
export interface Place {
  readonly tile: Tile
  /** The hashes in the tile that the subtree is made of: `from` inclusive, `to` exclusive. */
  readonly from: number
  readonly to: number
}

/** `level` and `index` as in `HashOf`. */
export function placeOf(level: number, index: number, size: number): Place {
  const tileLevel = Math.floor(level / tileHeight)
  const count = 2 ** (level % tileHeight)
  const first = index * count
  const tileIndex = Math.floor(first / tileWidth)
  const from = first - tileIndex * tileWidth
  const width = tileWidthAt(size, tileLevel, tileIndex)
  return { tile: { level: tileLevel, index: tileIndex, width }, from, to: from + count }
}

/** Entries as a bundle: each with its length before it, u16 big-endian. */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, { length }) => sum + 2 + length, 0))
  let at = 0
  for (const entry of entries) {
    bytes[at] = entry.length >> 8
    bytes[at + 1] = entry.length & 0xff
    bytes.set(entry, at + 2)
    at += 2 + entry.length
  }
  return bytes
}

/** The entries of a bundle, as views of its bytes. Throws `BYTES_INVALID`. */
export function decodeEntries(bytes: Uint8Array): readonly Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0))
    if (end > bytes.length) {
      throw new KernelError('BYTES_INVALID', `entry ${entries.length} of a bundle is cut off`)
    }
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}

function indexPath(index: number): string {
  const digits = String(index)
  const whole = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const parts = whole.match(/\d{3}/g) ?? []
  return parts.map((part, i) => (i === parts.length - 1 ? part : `x${part}`)).join('/')
}
