import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { canonical, canonicalBytes } from '../../packages/core/src/bytes/canonical.ts'
import { decodeJson } from '../../packages/core/src/bytes/decode.ts'
import type { Json } from '../../packages/core/src/bytes/json.ts'
import { type CanonicalLimits, decodeCanonical } from '../../packages/core/src/bytes/scan.ts'
import { toJson } from '../../packages/core/src/bytes/to-json.ts'
import { encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { isKernelError } from '../../packages/core/src/error.ts'
import { documents, jsonValues } from '../support/json-values.ts'

const runs = Number(process.env['HELM_PROPERTY_RUNS'] ?? 5000)
const holds = <T>(values: fc.Arbitrary<T>, property: (value: T) => void): void => {
  fc.assert(fc.property(values, property), { numRuns: runs })
}

const limits: CanonicalLimits = {
  maxBytes: 1 << 20,
  code: 'BUNDLE_MALFORMED',
  notCanonical: 'NOT_CANONICAL',
  what: 'document',
}
const sliced: CanonicalLimits = { ...limits, elementsOf: 'rules' }
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The definition: decode all, encode all, compare; and the two rules that are ours. */
function oracle(bytes: Uint8Array): 'fits' | 'not canonical' | 'not json' {
  let value: Json
  let text: string
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text) as Json
    if (canonicalize(value) === undefined || depthOf(value) > 64) return 'not json'
  } catch {
    return 'not json'
  }
  if (canonicalize(value) !== text) return 'not canonical'
  return hasUnsafeInteger(value) ? 'not json' : 'fits'
}

function depthOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

function hasUnsafeInteger(value: Json): boolean {
  if (typeof value === 'number')
    return /^-?\d+$/.test(String(value)) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(hasUnsafeInteger)
}

function agrees(bytes: Uint8Array): void {
  const expected = oracle(bytes)
  for (const how of [limits, sliced]) {
    try {
      const value = decodeCanonical(bytes, how)
      expect(expected).toBe('fits')
      expect(isDeepStrictEqual(value, JSON.parse(utf8.decode(bytes)))).toBe(true)
    } catch (error) {
      if (!isKernelError(error)) throw error
      expect(expected).not.toBe('fits')
      // The first thing wrong names the code, so that what is no JSON may first not be canonical.
      if (error.code === 'BUNDLE_MALFORMED') continue
      expect(error.code).toBe('NOT_CANONICAL')
    }
  }
}

/** `bytes` with a few of them changed, taken out, put in, moved or doubled. */
function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat(bytes.length)
  const telling = fc.constantFrom(
    ...encodeUtf8(' \n\t"\\/,:{}[]-+.0123456789eEtrufalsn\0\x7f'),
    0xc3,
    0xff,
  )
  const byte = fc.oneof(telling, fc.integer({ min: 0, max: 255 }))
  const change = fc.oneof(
    fc.record({ at: place, gone: fc.nat(2), put: fc.array(byte, { maxLength: 2 }) }),
    fc.record({ at: place, gone: fc.nat(8), from: place, size: fc.nat(12) }).map((copy) => ({
      ...copy,
      put: [...bytes.subarray(copy.from, copy.from + copy.size)],
    })),
  )
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const damagedBytes = [...bytes]
    for (const { at, gone, put } of changes) damagedBytes.splice(at, gone, ...put)
    return Uint8Array.from(damagedBytes)
  })
}

describe('the canonical encoding', () => {
  it('is what canonicalize makes, in whatever order members stand', () => {
    holds(jsonValues, (value) => {
      const text = canonicalize(value)
      expect(canonical(value)).toBe(text)
      expect(canonical(toJson(value, 'value'))).toBe(text)
      expect(canonical(JSON.parse(canonical(value)) as Json)).toBe(text)
    })
  })

  it('is read back as the same value by both decoders', () => {
    holds(fc.oneof(jsonValues, documents), (value) => {
      const bytes = canonicalBytes(value)
      for (const decoded of [
        decodeJson(bytes, limits),
        decodeCanonical(bytes, limits),
        decodeCanonical(bytes, sliced),
        toJson(value, 'value'),
      ]) {
        expect(isDeepStrictEqual(decoded, value)).toBe(true)
      }
    })
  })
})

describe('the canonical decoder', () => {
  it('agrees with the oracle on damaged documents', () => {
    holds(
      fc.oneof(jsonValues, documents).chain((value) => damaged(canonicalBytes(value))),
      agrees,
    )
  })

  it('agrees with the oracle on documents in other forms', () => {
    const forms = fc.tuple(
      fc.oneof(jsonValues, documents),
      fc.constantFrom('', ' ', '\t'),
      fc.boolean(),
    )
    holds(forms, ([value, indent, escaped]) => {
      const text = JSON.stringify(value, null, indent)
      agrees(encodeUtf8(escaped ? withEscapes(text) : text))
    })
  })
})

describe('the strict decoder', () => {
  it('takes every form of a document for the same value', () => {
    holds(
      fc.tuple(jsonValues, fc.constantFrom('', ' ', '\t'), fc.boolean()),
      ([value, indent, escaped]) => {
        const text = JSON.stringify(value, null, indent)
        const decoded = decodeJson(encodeUtf8(escaped ? withEscapes(text) : text), limits)
        expect(isDeepStrictEqual(decoded, value)).toBe(true)
      },
    )
  })

  it('takes nothing that JSON.parse refuses, and takes all for the same', () => {
    holds(
      jsonValues.chain((value) => damaged(encodeUtf8(JSON.stringify(value)))),
      (bytes) => {
        let decoded: Json
        try {
          decoded = decodeJson(bytes, limits)
        } catch (error) {
          if (isKernelError(error, 'BUNDLE_MALFORMED')) return
          throw error
        }
        expect(isDeepStrictEqual(decoded, JSON.parse(utf8.decode(bytes)))).toBe(true)
      },
    )
  })
})

/** The same document, with everything escaped that is not ASCII. */
function withEscapes(text: string): string {
  return text.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
