import { describe, expect, it } from 'vitest'
import {
  decodeEntries,
  encodeEntries,
  parseTilePath,
  tilePath,
  tileWidthAt,
} from '../../packages/core/src/log/index.ts'

describe('the path of a tile', () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 1, index: 999, width: 1 }, 'tile/1/999.p/1'],
    [{ level: 2, index: 1000, width: 255 }, 'tile/2/x001/000.p/255'],
    [{ level: 63, index: 0, width: 112 }, 'tile/63/000.p/112'],
    [{ level: 'entries', index: 273, width: 112 }, 'tile/entries/273.p/112'],
    [{ level: 0, index: 2 ** 53 - 1, width: 256 }, 'tile/0/x009/x007/x199/x254/x740/991'],
  ] as const)('of %j is %s, and is read again', (tile, path) => {
    expect(tilePath(tile)).toBe(path)
    expect(parseTilePath(path)).toEqual(tile)
  })

  it.each([
    ['nothing', ''],
    ['no index', 'tile/0'],
    ['an index of two digits', 'tile/0/00'],
    ['an index of four digits', 'tile/0/1234'],
    ['a leading zero group', 'tile/0/x000/001'],
    ['a group without x', 'tile/0/001/000'],
    ['an x at the last group', 'tile/0/x001'],
    ['an index beyond 2^53', 'tile/0/x009/x007/x199/x254/x740/992'],
    ['too many groups', 'tile/0/x001/x000/x000/x000/x000/x000/000'],
    ['a leading zero in the level', 'tile/00/000'],
    ['a level beyond 63', 'tile/64/000'],
    ['a level of three digits', 'tile/100/000'],
    ['a negative level', 'tile/-1/000'],
    ['another level', 'tile/leaves/000'],
    ['a partial tile that is whole', 'tile/0/000.p/256'],
    ['a partial tile of nothing', 'tile/0/000.p/0'],
    ['a partial tile wider than a tile', 'tile/0/000.p/999'],
    ['a leading zero in the width', 'tile/0/000.p/01'],
    ['no width', 'tile/0/000.p/'],
    ['a slash before it', '/tile/0/000'],
    ['a slash after it', 'tile/0/000/'],
    ['a newline after it', 'tile/0/000\n'],
    ['a height, as Go has it', 'tile/8/0/000'],
    ['a step up', 'tile/0/x001/../000'],
    ['an escape', 'tile/0/%30%30%30'],
    ['digits of another script', 'tile/0/٠٠٠'],
  ])('is not %s', (_, path) => {
    expect(parseTilePath(path)).toBeUndefined()
  })
})

describe('the width of a tile', () => {
  it('in a tree of 70,000 is what the specification counts', () => {
    const width = (level: number | 'entries', index: number) => tileWidthAt(70_000, level, index)
    expect([0, 272, 273, 274].map((index) => width(0, index))).toEqual([256, 256, 112, 0])
    expect([0, 1, 2].map((index) => width(1, index))).toEqual([256, 17, 0])
    expect([0, 1].map((index) => width(2, index))).toEqual([1, 0])
    expect(width(3, 0)).toBe(0)
    expect([272, 273, 274].map((index) => width('entries', index))).toEqual([256, 112, 0])
  })

  it('in a tree of 256 is a whole tile, and one hash above it', () => {
    expect([tileWidthAt(256, 0, 0), tileWidthAt(256, 0, 1), tileWidthAt(256, 1, 0)]).toEqual([
      256, 0, 1,
    ])
    expect([tileWidthAt(255, 0, 0), tileWidthAt(255, 1, 0)]).toEqual([255, 0])
  })

  it('is counted without loss up to 2^53 − 1, and is 0 where no tree reaches', () => {
    const size = 2 ** 53 - 1
    expect(tileWidthAt(size, 0, Math.floor(size / 256))).toBe(255)
    expect(tileWidthAt(size, 6, 0)).toBe(31)
    expect(tileWidthAt(size, 63, 0)).toBe(0)
    expect(tileWidthAt(0, 0, 0)).toBe(0)
  })
})

describe('a bundle of entries', () => {
  const entries = [new Uint8Array(0), new Uint8Array(1).fill(7), new Uint8Array(65_535).fill(9)]

  it('has the length of each before it, and is read again', () => {
    const bytes = encodeEntries(entries)
    expect(bytes.length).toBe(3 * 2 + 1 + 65_535)
    expect([...bytes.subarray(0, 7)]).toEqual([0, 0, 0, 1, 7, 0xff, 0xff])
    expect(decodeEntries(bytes)).toEqual(entries)
    expect(decodeEntries(new Uint8Array(0))).toEqual([])
  })

  it('is refused when it is cut off', () => {
    const bytes = encodeEntries(entries)
    for (const cut of [bytes.length - 1, 6, 4, 1]) {
      expect(() => decodeEntries(bytes.subarray(0, cut))).toThrow(
        expect.objectContaining({ code: 'BYTES_INVALID' }),
      )
    }
  })
})
