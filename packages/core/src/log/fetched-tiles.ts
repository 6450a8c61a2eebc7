import { KernelError } from '../error.ts'
import type { Tile, Tiles } from '../ports/tiles.ts'
import { maxNoteBytes } from './note.ts'
import { decodeEntries, encodeEntries, hashBytes, tilePath, tileWidth } from './tile.ts'

/**
 * Gets `path` below the prefix of a log, such as `checkpoint` or `tile/0/000`: its bytes, at most
 * `maxBytes`, or undefined when the log has none (404). Rejects when it cannot tell.
 */
export type FetchPath = (path: string, maxBytes: number) => Promise<Uint8Array | undefined>

/** An entry and its length (C2SP tlog-tiles). */
const maxEntryBytes = 2 + 65_535

/**
 * A log behind any `fetch`. What it gives has the right form, and is proved by nothing but the root it
 * leads to. Rejects with `PROOF_INVALID` or `BYTES_INVALID` when a tile has another form.
 *
 * @example
 * ```ts
 * const tiles = fetchedTiles(async (path) => {
 *   const response = await fetch(`https://kernel.example/log/${path}`)
 *   return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
 * })
 * ```
 */
export function fetchedTiles(fetchPath: FetchPath): Tiles {
  return Object.freeze({
    checkpoint: () => fetchPath('checkpoint', maxNoteBytes),
    async tile(tile) {
      const bytes = await fetchTile(fetchPath, tile)
      if (bytes !== undefined || tile.width === tileWidth) return bytes
      // A log may drop a partial tile once it has the full one, which begins the same.
      const full = await fetchTile(fetchPath, { ...tile, width: tileWidth })
      return full && beginning(full, tile)
    },
  } satisfies Tiles)
}

async function fetchTile(fetchPath: FetchPath, tile: Tile): Promise<Uint8Array | undefined> {
  const entries = tile.level === 'entries'
  const maxBytes = tile.width * (entries ? maxEntryBytes : hashBytes)
  const path = tilePath(tile)
  const bytes = await fetchPath(path, maxBytes)
  if (bytes === undefined) return undefined
  // The bound is the fetcher's to keep; it is checked where a fetcher cannot.
  const whole = bytes.length <= maxBytes && widthOf(bytes, entries) === tile.width
  if (!whole)
    throw new KernelError('PROOF_INVALID', `what the log gives as ${path} is no such tile`)
  return bytes
}

function widthOf(bytes: Uint8Array, entries: boolean): number {
  return entries ? decodeEntries(bytes).length : bytes.length / hashBytes
}

function beginning(full: Uint8Array, { level, width }: Tile): Uint8Array {
  if (level !== 'entries') return full.subarray(0, width * hashBytes)
  return encodeEntries(decodeEntries(full).slice(0, width))
}
