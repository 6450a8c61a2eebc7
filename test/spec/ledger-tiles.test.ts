import {
  createRange,
  encodeEntries,
  hashBytes,
  leafHash,
  rootOfTiles,
  tilePath,
  tileWidth,
  tileWidthAt,
} from '@helm-ai-kernel/core/log'
import type { Tile } from '@helm-ai-kernel/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { createTower } from '../../packages/ledger/src/tower.ts'
import { faultyDisk } from '../support/faulty-disk.ts'
import { append, audited, key, openOn, sealer, tiled } from '../support/ledger.ts'
import { acme, began, decision } from '../support/log-entries.ts'
import { memoryDisk, type MemoryDisk } from '../support/memory-disk.ts'

const many = (n: number) => Array.from({ length: n }, () => decision(acme, null))

/** A ledger of `size` entries, not closed, with all tiles made that may be. */
async function grown(size: number) {
  const disk = memoryDisk()
  const ledger = await openOn(disk)
  await ledger.append([began(key), ...many(size - 1)], sealer(ledger.identity))
  if (size > tileWidth) await tiled(disk, Math.floor((size - 1) / tileWidth))
  return { disk, ledger }
}

const segmentsOf = (disk: MemoryDisk) => disk.list('ledger/wal')

/** All hashes and all entries of a log, by C2SP's rule: level L has the roots of 256^L leaves. */
function expected(entries: readonly Uint8Array[], { level, index, width }: Tile): Uint8Array {
  const from = index * tileWidth
  if (level === 'entries') return encodeEntries(entries.slice(from, from + width))
  const leaves = tileWidth ** level
  const hashes = Array.from({ length: width }, (_, i) => {
    const range = createRange(crypto)
    const first = (from + i) * leaves
    for (const entry of entries.slice(first, first + leaves)) range.append(leafHash(crypto, entry))
    return [...range.root()]
  })
  return Uint8Array.from(hashes.flat())
}

describe('a segment that is full', () => {
  it('becomes a bundle of its entries and a tile of their hashes, and is gone', async () => {
    const { disk, ledger } = await grown(600)
    const entries = (await ledger.read(0, 600)).map(({ entry }) => entry)
    expect(await segmentsOf(disk)).toEqual(['0000000000000512'])
    for (const index of [0, 1]) {
      for (const level of ['entries', 0] as const) {
        const tile = { level, index, width: tileWidth }
        expect(disk.files().get(`ledger/${tilePath(tile)}`)).toEqual(expected(entries, tile))
      }
    }
    expect(disk.files().has('ledger/tile/entries/002')).toBe(false)
  })

  it('stays until an entry after it is durable', async () => {
    const { disk, ledger } = await grown(256)
    expect(await segmentsOf(disk)).toEqual(['0000000000000000'])
    await append(ledger, decision(acme, null))
    await tiled(disk, 1)
    expect(await segmentsOf(disk)).toEqual(['0000000000000256'])
  })

  it('is read the same from its tile, after a restart too', async () => {
    const { disk, ledger } = await grown(1600)
    const receipts = await audited(ledger)
    await ledger.close()
    expect(receipts).toHaveLength(1600)
    expect(await audited(await openOn(disk))).toEqual(receipts)
  })

  it('becomes a tile at the next start when the process ended before', async () => {
    const disk = memoryDisk()
    const lazy = { ...disk, rename: () => new Promise<void>(() => undefined) }
    const first = await openOn(disk)
    await first.append([began(key)], sealer(first.identity))
    await first.close()
    const ledger = await openOn(lazy)
    await ledger.append(many(900), sealer(ledger.identity))
    expect(await segmentsOf(disk)).toHaveLength(4)
    const next = await openOn(disk)
    await tiled(disk, 3)
    expect(await audited(next)).toHaveLength(901)
  })

  it('is one tile also when a failed write left it in two segments', async () => {
    let failing = false
    const failsOnce = (call: string, path: string) => {
      const fails = failing && call === 'sync' && path.startsWith('ledger/wal')
      failing &&= !fails
      return fails
    }
    const disk = faultyDisk(memoryDisk(), { at: failsOnce, code: 'EIO', how: 'before' })
    const ledger = await openOn(disk)
    await ledger.append([began(key), ...many(99)], sealer(ledger.identity))
    failing = true
    await expect(append(ledger, decision(acme, null))).rejects.toThrow('EIO')
    await ledger.append(many(50), sealer(ledger.identity))
    expect(await disk.list('ledger/wal')).toEqual(['0000000000000000', '0000000000000100'])
    await ledger.append(many(150), sealer(ledger.identity))
    await tiled(disk, 1)
    expect(await disk.list('ledger/wal')).toEqual(['0000000000000256'])
    const receipts = await audited(ledger)
    await ledger.close()
    expect(await audited(await openOn(disk))).toEqual(receipts)
  })
})

describe('the tiles that are served', () => {
  const size = 700
  let made: Awaited<ReturnType<typeof grown>>
  let entries: readonly Uint8Array[]

  beforeAll(async () => {
    made = await grown(size)
    entries = (await made.ledger.read(0, size)).map(({ entry }) => entry)
  })

  it.each<[number | 'entries', number, number]>([
    [0, 0, 256],
    [0, 0, 1],
    [0, 1, 255],
    [0, 2, 1],
    [0, 2, 188],
    [1, 0, 1],
    [1, 0, 2],
    ['entries', 0, 256],
    ['entries', 1, 7],
    ['entries', 2, 188],
  ])(
    'have exactly their hashes or entries: level %s, index %i, width %i',
    async (level, index, width) => {
      const tile = { level, index, width }
      expect(await made.ledger.tile(tile)).toEqual(expected(entries, tile))
    },
  )

  it.each<[number | 'entries', number, number]>([
    [0, 2, 189],
    [0, 3, 1],
    [1, 0, 3],
    [2, 0, 1],
    ['entries', 2, 189],
    [0, 0, 257],
    [0, 0, 0],
    [0, -1, 1],
    [0.5, 0, 1],
    [63, 0, 1],
  ])(
    'are none beyond what is acknowledged: level %s, index %i, width %i',
    async (level, index, width) => {
      expect(await made.ledger.tile({ level, index, width })).toBeUndefined()
    },
  )

  it('lead to the root of every size', async () => {
    const range = createRange(crypto)
    for (const [i, entry] of entries.entries()) {
      range.append(leafHash(crypto, entry))
      if (i % 37 !== 0 && (i + 1) % tileWidth !== 0) continue
      expect(await rootOfTiles(crypto, made.ledger, i + 1)).toEqual(range.root())
    }
  })

  it('are the same after a restart', async () => {
    const disk = memoryDisk(made.disk.files())
    const ledger = await openOn(disk)
    for (const level of [0, 1, 'entries'] as const) {
      for (let index = 0; tileWidthAt(size, level, index) > 0; index++) {
        const tile = { level, index, width: tileWidthAt(size, level, index) }
        expect(await ledger.tile(tile)).toEqual(expected(entries, tile))
      }
    }
  })
})

describe('a tower of hashes', () => {
  const leaf = (i: number) => crypto.sha256(Uint8Array.of(i & 255, (i >> 8) & 255, i >> 16))

  it.each([255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, 66_000])(
    'has every full tile, and the beginning of the others, at %i leaves',
    (size) => {
      const tower = createTower(crypto)
      const range = createRange(crypto)
      for (let i = 0; i < size; i++) {
        tower.append(leaf(i))
        range.append(leaf(i))
      }
      const counts = [0, 1, 2].map((level) => tower.full.filter((t) => t.level === level).length)
      expect(counts).toEqual([0, 1, 2].map((level) => Math.floor(size / tileWidth ** (level + 1))))
      const at = Math.max(0, size - 300)
      const first = tower.tile({ level: 0, index: Math.floor(at / tileWidth), width: 1 })
      expect(first).toEqual(leaf(at - (at % tileWidth)))
      const reader = { tile: async (tile: Tile) => tower.tile(tile) }
      return expect(rootOfTiles(crypto, reader, size)).resolves.toEqual(range.root())
    },
  )

  it('gives each hash of the level above when 256 below it are there', () => {
    const tower = createTower(crypto)
    for (let i = 0; i < 3 * tileWidth; i++) tower.append(leaf(i))
    const above = tower.tile({ level: 1, index: 0, width: 3 })
    for (let block = 0; block < 3; block++) {
      const range = createRange(crypto)
      for (let i = 0; i < tileWidth; i++) range.append(leaf(block * tileWidth + i))
      expect(above?.subarray(block * hashBytes, (block + 1) * hashBytes)).toEqual(range.root())
    }
  })
})
