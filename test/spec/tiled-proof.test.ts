import { describe, expect, it } from 'vitest'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  consistencyProof,
  createRange,
  edgeOfTiles,
  inclusionProof,
  proveConsistency,
  proveInclusion,
  rootOfTiles,
  tilePath,
  type TileReader,
} from '../../packages/core/src/log/index.ts'
import { hashesOf, leafHashes, naiveRoot, tilesOf } from '../support/tree.ts'

const sizes = [1, 2, 255, 256, 257, 511, 513, 65_535, 65_536, 65_537]
const leaves = leafHashes(65_793)
const hashOf = hashesOf(leaves)
const tiles = tilesOf(leaves)
const places = (size: number) =>
  [0, 1, 254, 255, 256, size - 2, size - 1].filter((index) => index >= 0 && index < size)
const invalid: unknown = expect.objectContaining({ code: 'PROOF_INVALID' })

/** Remembers what it was asked for. */
function watched(inner: TileReader) {
  const asked: string[] = []
  const tile: TileReader['tile'] = (one) => {
    asked.push(tilePath(one))
    return inner.tile(one)
  }
  return { asked, tile }
}

describe.each(sizes)('from the tiles of a log of %i leaves', (size) => {
  it('inclusion is proved as from the tree', async () => {
    for (const index of places(size)) {
      const proof = await proveInclusion(crypto, tiles, index, size)
      expect(proof).toEqual(inclusionProof(crypto, index, size, hashOf))
    }
  })

  it('consistency is proved as from the tree', async () => {
    for (const from of [0, ...places(size).map((index) => index + 1)]) {
      const proof = await proveConsistency(crypto, tiles, from, size)
      expect(proof).toEqual(consistencyProof(crypto, from, size, hashOf))
    }
  })

  it('root and right edge are those of the tree', async () => {
    const range = createRange(crypto)
    for (const leaf of leaves.slice(0, size)) range.append(leaf)
    expect(await rootOfTiles(crypto, tiles, size)).toEqual(naiveRoot(leaves.slice(0, size)))
    expect(await edgeOfTiles(crypto, tiles, size)).toEqual(range.hashes())
  })
})

describe('tiles', () => {
  it('of the size that is asked about are read, however long the log is', async () => {
    const log = watched(tiles)
    await proveInclusion(crypto, log, 3, 65_537)
    expect(log.asked.sort()).toEqual(['tile/0/000', 'tile/0/256.p/1', 'tile/1/000'])
    const small = watched(tiles)
    await rootOfTiles(crypto, small, 257)
    expect(small.asked.sort()).toEqual(['tile/0/001.p/1', 'tile/1/000.p/1'])
  })

  it('of an empty log are none, and its root is known', async () => {
    const log = watched(tiles)
    expect(await rootOfTiles(crypto, log, 0)).toEqual(crypto.sha256(new Uint8Array(0)))
    expect(await edgeOfTiles(crypto, log, 0)).toEqual([])
    expect(log.asked).toEqual([])
  })

  it.each([
    ['missing', undefined],
    ['too short', new Uint8Array(32)],
    ['too long', new Uint8Array(8193)],
    ['empty', new Uint8Array(0)],
  ])('that are %s prove nothing', async (_, bytes) => {
    const log: TileReader = {
      tile: async (tile) => (tile.level === 0 && tile.index === 1 ? bytes : tiles.tile(tile)),
    }
    await expect(proveInclusion(crypto, log, 300, 513)).rejects.toThrow(invalid)
    await expect(proveConsistency(crypto, log, 300, 513)).rejects.toThrow(invalid)
    await expect(rootOfTiles(crypto, log, 300)).rejects.toThrow(invalid)
    await expect(edgeOfTiles(crypto, log, 300)).rejects.toThrow(invalid)
  })

  it('beyond the log prove nothing', async () => {
    await expect(rootOfTiles(crypto, tiles, leaves.length + 1)).rejects.toThrow(invalid)
    await expect(proveInclusion(crypto, tiles, 5, 5)).rejects.toThrow(invalid)
    await expect(proveConsistency(crypto, tiles, 6, 5)).rejects.toThrow(invalid)
  })
})
