import { describe, expect, it } from 'vitest'
import { canonical, canonicalBytes } from '../../packages/core/src/bytes/canonical.ts'
import { decodeJson } from '../../packages/core/src/bytes/decode.ts'
import { encodeHex } from '../../packages/core/src/bytes/hex.ts'
import { decodeCanonical } from '../../packages/core/src/bytes/scan.ts'
import { encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { haveVectors, noVectors, vector, vectorNames, vectorText } from '../support/vectors.ts'

const limits = {
  maxBytes: 1 << 20,
  code: 'BUNDLE_MALFORMED',
  notCanonical: 'NOT_CANONICAL',
  what: 'document',
} as const

if (!haveVectors) console.log(noVectors)

describe.skipIf(!haveVectors)('the documents of RFC 8785', () => {
  const names = haveVectors ? vectorNames('jcs/input').map((name) => name.replace('.json', '')) : []
  const expected = (name: string): string => vectorText(`jcs/outhex/${name}.txt`).replace(/\s/g, '')

  it('are six', () => {
    expect(names).toHaveLength(6)
  })

  it.each(names)('%s is encoded to the bytes that the authors published', (name) => {
    const value = decodeJson(vector(`jcs/input/${name}.json`), limits)
    expect(encodeHex(canonicalBytes(value))).toBe(expected(name))
  })

  it.each(names)('%s is accepted as canonical only in those bytes', (name) => {
    const bytes = Uint8Array.from(Buffer.from(expected(name), 'hex'))
    const value = decodeJson(vector(`jcs/input/${name}.json`), limits)
    expect(decodeCanonical(bytes, limits)).toEqual(value)
    expect(() => decodeCanonical(vector(`jcs/input/${name}.json`), limits)).toThrow()
  })
})

describe.skipIf(!haveVectors)('the ten thousand numbers of RFC 8785', () => {
  const numbers = (haveVectors ? vectorText('jcs/es6numbers_10000.csv') : '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [bits = '', text = ''] = line.split(',')
      const view = new DataView(new ArrayBuffer(8))
      view.setBigUint64(0, BigInt(`0x${bits}`))
      return { value: view.getFloat64(0), text }
    })

  it('are written as published', () => {
    expect(numbers).toHaveLength(10_000)
    expect(numbers.filter(({ value, text }) => canonical(value) !== text)).toEqual([])
  })

  it('are read back from that form, but for integers beyond 2^53 - 1', () => {
    const unsafe = ({ value, text }: { value: number; text: string }): boolean =>
      /^-?\d+$/.test(text) && !Number.isSafeInteger(value)
    const read = (text: string): unknown => decodeCanonical(encodeUtf8(text), limits)
    const safe = numbers.filter((number) => !unsafe(number))
    expect(safe.filter(({ value, text }) => read(text) !== value)).toEqual([])
    for (const { text } of numbers.filter(unsafe)) expect(() => read(text)).toThrow('2^53')
  })
})
