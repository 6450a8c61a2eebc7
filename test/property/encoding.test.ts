import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../packages/core/src/bytes/base64.ts'
import { decodeHex, encodeHex } from '../../packages/core/src/bytes/hex.ts'
import { decodeUtf8, encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'

const runs = Number(process.env['HELM_PROPERTY_RUNS'] ?? 5000)
const holds = <T>(values: fc.Arbitrary<T>, property: (value: T) => void): void => {
  fc.assert(fc.property(values, property), { numRuns: runs })
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const bytes = fc.uint8Array({ maxLength: 40 })
const texts = fc.string({ unit: 'binary', maxLength: 40 })
/** Where the ranges of RFC 3629's table begin and end. */
const edges = fc.constantFrom(
  ...[0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1],
  ...[0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff],
)
const oneByteOff = fc
  .tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), fc.nat(), edges)
  .map(([text, at, byte]) => {
    const whole = new TextEncoder().encode(text)
    return whole.with(at % whole.length, byte)
  })
const nearlyUtf8 = fc.oneof(
  fc.array(edges, { maxLength: 8 }).map((list) => Uint8Array.from(list)),
  oneByteOff,
)

function resultOf<T>(run: () => T): T | 'refused' {
  try {
    return run()
  } catch {
    return 'refused'
  }
}

describe('UTF-8', () => {
  it('is encoded as TextEncoder does, and decoded back', () => {
    holds(texts, (text) => {
      expect(encodeUtf8(text)).toEqual(new TextEncoder().encode(text))
      expect(decodeUtf8(encodeUtf8(text))).toBe(text)
    })
  })

  it('is decoded as a fatal TextDecoder does, or refused', () => {
    holds(nearlyUtf8, (some) => {
      expect(resultOf(() => decodeUtf8(some))).toBe(resultOf(() => strict.decode(some)))
    })
  })

  it('is decoded whole where it is longer than a chunk, wherever a character falls', () => {
    for (const size of [4094, 4095, 4096, 4097, 8191, 8192]) {
      for (const end of ['', 'a', 'é', '€', '😀', '😀😀']) {
        const text = 'x'.repeat(size) + end + 'y'
        expect(decodeUtf8(encodeUtf8(text)) === text).toBe(true)
      }
    }
  })

  it('can be decoded in part, and says at which byte it is bad', () => {
    const some = encodeUtf8('aé€😀b')
    expect(decodeUtf8(some, 1, 6)).toBe('é€')
    expect(() => decodeUtf8(some, 1, 5)).toThrow('byte 3')
    expect(() => decodeUtf8(some, 2)).toThrow('byte 2')
  })

  it('has no form for a lone surrogate', () => {
    for (const text of ['\ud800', 'a\udc00', 'é\ud800x', '\udc00\ud800']) {
      expect(() => encodeUtf8(text)).toThrow('lone surrogate')
    }
  })
})

describe('base64', () => {
  it("is encoded as node's, as a string and as bytes, and decoded back", () => {
    holds(bytes, (some) => {
      const text = Buffer.from(some).toString('base64')
      expect(encodeBase64(some)).toBe(text)
      expect(decodeBase64(text)).toEqual(some)
    })
  })

  it('is refused in every form but the one it is encoded to', () => {
    const letters = fc.constantFrom(...'A Q g w / + z 0 9 = - _ \n \u0100 é'.split(' '))
    holds(fc.string({ unit: letters, maxLength: 9 }), (text) => {
      const decoded = resultOf(() => decodeBase64(text))
      const whole = Buffer.from(text, 'base64').toString('base64') === text
      expect(decoded === 'refused').toBe(!whole)
    })
  })
})

describe('hex', () => {
  it("is encoded as node's, and decoded back from either case", () => {
    holds(bytes, (some) => {
      const text = Buffer.from(some).toString('hex')
      expect(encodeHex(some)).toBe(text)
      expect(decodeHex(text, some.length, 'some')).toEqual(some)
      expect(decodeHex(text.toUpperCase(), some.length, 'some')).toEqual(some)
    })
  })
})
