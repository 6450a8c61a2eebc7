import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  decodeEntries,
  fetchedTiles,
  leafHash,
  parseTilePath,
  rootOfTiles,
  tilePath,
} from '../../packages/core/src/log/index.ts'
import type { Tile } from '../../packages/core/src/ports/tiles.ts'
import { naiveRoot, tilesOf } from '../support/tree.ts'

const entries = Array.from({ length: 600 }, (_, i) => encodeUtf8(`entry ${i}`))
const leaves = entries.map((entry) => leafHash(crypto, entry))
const local = tilesOf(leaves, entries)
const note = encodeUtf8('a note\n')

/** A log that serves `size` leaves, and has dropped partial tiles where it has full ones. */
function served(change: (bytes: Uint8Array) => Uint8Array | undefined = (bytes) => bytes) {
  const asked: { path: string; maxBytes: number }[] = []
  const tiles = fetchedTiles(async (path, maxBytes) => {
    asked.push({ path, maxBytes })
    if (path === 'checkpoint') return note
    const tile = parseTilePath(path) ?? expect.unreachable()
    const dropped = tile.width < 256 && (await local.tile({ ...tile, width: 256 })) !== undefined
    const bytes = dropped ? undefined : await local.tile(tile)
    return bytes && change(bytes)
  })
  return { tiles, asked }
}

const invalid: unknown = expect.objectContaining({ code: 'PROOF_INVALID' })
const partial: Tile = { level: 0, index: 1, width: 9 }
const last: Tile = { level: 0, index: 2, width: 88 }

describe('tiles that are fetched', () => {
  it('come from the paths below the prefix of the log, each with its bound', async () => {
    const { tiles, asked } = served()
    expect(await tiles.checkpoint()).toEqual(note)
    expect(await tiles.tile(last)).toEqual(await local.tile(last))
    expect(asked).toEqual([
      { path: 'checkpoint', maxBytes: 128 * 1024 },
      { path: 'tile/0/002.p/88', maxBytes: 88 * 32 },
    ])
  })

  it('are the beginning of the full tile where the partial one is gone', async () => {
    const { tiles, asked } = served()
    expect(await tiles.tile(partial)).toEqual(await local.tile(partial))
    expect(asked.map(({ path }) => path)).toEqual([tilePath(partial), 'tile/0/001'])
    const bundle = await tiles.tile({ level: 'entries', index: 1, width: 9 })
    expect(decodeEntries(bundle ?? expect.unreachable())).toEqual(entries.slice(256, 265))
    expect(asked.at(-2)?.maxBytes).toBe(9 * 65_537)
  })

  it('are undefined where the log has none', async () => {
    const { tiles } = served()
    expect(await tiles.tile({ level: 0, index: 2, width: 89 })).toBeUndefined()
    expect(await tiles.tile({ level: 3, index: 0, width: 256 })).toBeUndefined()
  })

  it('lead to the root at any size the log had', async () => {
    const { tiles } = served()
    for (const size of [1, 255, 256, 300, 600]) {
      expect(await rootOfTiles(crypto, tiles, size)).toEqual(naiveRoot(leaves.slice(0, size)))
    }
  })

  it.each([
    ['cut off', (bytes: Uint8Array) => bytes.subarray(1)],
    ['empty', () => new Uint8Array(0)],
    ['a hash longer', (bytes: Uint8Array) => Uint8Array.of(...bytes, ...new Uint8Array(32))],
  ])('are refused when they are %s', async (_, change) => {
    const { tiles } = served(change)
    await expect(tiles.tile(last)).rejects.toThrow(invalid)
    await expect(tiles.tile(partial)).rejects.toThrow(invalid)
  })

  it('of entries are refused when there are more or fewer, or the last is cut', async () => {
    const tile: Tile = { level: 'entries', index: 2, width: 88 }
    const longer = served((bytes) => Uint8Array.of(...bytes, 0, 0))
    await expect(longer.tiles.tile(tile)).rejects.toThrow(invalid)
    const cut = served((bytes) => bytes.subarray(0, -1))
    await expect(cut.tiles.tile(tile)).rejects.toThrow(
      expect.objectContaining({ code: 'BYTES_INVALID' }),
    )
  })
})
