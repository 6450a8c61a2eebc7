import { describe, expect, it } from 'vitest'
import { canonical, canonicalBytes } from '../../packages/core/src/bytes/canonical.ts'
import type { Json } from '../../packages/core/src/bytes/json.ts'
import {
  type CanonicalLimits,
  decodeCanonical,
  decodeCanonicalSliced,
} from '../../packages/core/src/bytes/scan.ts'
import { encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { refusal } from '../support/refusal.ts'

const limits: CanonicalLimits = {
  maxBytes: 1 << 20,
  code: 'BUNDLE_MALFORMED',
  notCanonical: 'NOT_CANONICAL',
  what: 'bundle',
  elementsOf: 'rules',
  maxElementBytes: 65_536,
}
const read = (text: string): Json => decodeCanonical(encodeUtf8(text), limits)
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('canonical JSON', () => {
  it('sorts members by UTF-16 units, not by code points or bytes', () => {
    const value = { '\ue000': 1, '😀': 2, é: 3, b: 4, a: 5, '10': 6, '9': 7, '': 8 }
    const text = '{"":8,"10":6,"9":7,"a":5,"b":4,"é":3,"😀":2,"\ue000":1}'
    expect(canonical(value)).toBe(text)
    expect(read(text)).toEqual(value)
  })

  it('writes -0 as 0, and so takes only 0', () => {
    expect(canonical([-0, 0])).toBe('[0,0]')
    expect(refusal(() => read('[-0]'))).toMatchObject({ code: 'NOT_CANONICAL', at: 'byte 1' })
  })

  it.each([
    ['a number that is not finite', { b: 1, a: [NaN] }],
    ['a lone surrogate', { a: '\ud800' }],
    ['65 levels', JSON.parse(nested(65)) as Json],
    ['100,000 levels', JSON.parse(nested(100_000)) as Json],
  ])('has no form for %s', (_, value: Json) => {
    expect(refusal(() => canonical(value))).toMatchObject({ code: 'BYTES_INVALID' })
  })

  it('has a form for a backslash before what looks like a surrogate', () => {
    expect(canonical({ a: '\\ud800' })).toBe('{"a":"\\\\ud800"}')
    expect(read('{"a":"\\\\ud800"}')).toEqual({ a: '\\ud800' })
  })
})

describe('bytes that must be canonical', () => {
  it.each([
    ['a trailing newline', '{"a":1}\n', 'a trailing newline', 'byte 7'],
    ['a trailing newline of two bytes', '{"a":1}\r\n', 'a trailing newline', 'byte 7'],
    ['a trailing space', '{"a":1} ', 'trailing white space', 'byte 7'],
    ['white space', '{"a": 1}', 'white space', 'byte 5'],
    ['white space before all', ' {}', 'white space', 'byte 0'],
    ['members out of order', '{"b":1,"a":2}', 'member "a" after "b"', 'byte 7'],
    ['members in order of their bytes', '{"\ue000":1,"😀":2}', 'after', 'byte 9'],
    ['1.0', '{"a":1.0}', '1.0 is written 1', 'byte 5'],
    ['1E3', '[1E3]', '1E3 is written 1000', 'byte 1'],
    ['0.0000001', '[0.0000001]', '0.0000001 is written 1e-7', 'byte 1'],
    ['a letter escaped', '["\\u0041"]', '\\u0041 is written A', 'byte 2'],
    ['a slash escaped', '["\\/"]', '\\/ is written /', 'byte 2'],
    ['a newline in the long form', '["\\u000a"]', '\\u000a is written \\n', 'byte 2'],
    ['a control in capitals', '["\\u001F"]', '\\u001F is written \\u001f', 'byte 2'],
    ['a pair escaped', '["\\ud83d\\ude00"]', 'is written 😀', 'byte 2'],
    ['white space in a rule', '{"rules":[{},{"a": 1}]}', 'white space', 'byte 18, rules[1]'],
  ])('are refused as NOT_CANONICAL with %s', (_, text, message, at) => {
    const error = refusal(() => read(text))
    expect(error).toMatchObject({ code: 'NOT_CANONICAL', at })
    expect(error.message).toContain(`bundle is not canonical JSON: `)
    expect(error.message).toContain(message)
  })

  it.each([
    ['a member twice', '{"a":1,"a":2}', 'member "a" twice', 'byte 7'],
    ['nothing', '', 'expected a value, found the end', 'byte 0'],
    ['two documents', '{}{}', 'expected the end, found "{"', 'byte 2'],
    ['65 levels', `{"a":${nested(64)}}`, 'nested deeper than 64', 'byte 68'],
    ['65 levels in a rule', `{"rules":[${nested(63)}]}`, 'deeper', 'byte 72, rules[0]'],
    ['an integer of 2^53', '[9007199254740992]', '2^53 - 1', 'byte 1'],
    ['a rule missing', '{"rules":[1,]}', 'expected a value', 'byte 12, rules[1]'],
    ['an array that stops', '{"rules":[1', 'expected "," or "]"', 'byte 11, rules[1]'],
  ])('are refused as no JSON at all with %s', (_, text, message, at) => {
    const error = refusal(() => read(text))
    expect(error).toMatchObject({ code: 'BUNDLE_MALFORMED', at })
    expect(error.message).toContain(message)
  })

  it('may have a rule of 64 KiB and none larger; the one that is too large is named', () => {
    const rule = (bytes: number): string => `"${'x'.repeat(bytes - 2)}"`
    expect(read(`{"rules":[1,${rule(65_536)}]}`)).toBeTypeOf('object')
    const error = refusal(() => read(`{"rules":[1,${rule(65_537)}]}`))
    expect(error).toMatchObject({ code: 'BUNDLE_MALFORMED', at: 'rules[1]' })
    expect(error.message).toContain('65537 bytes, at most 65536 are allowed')
  })

  it('are read in slices: a long array of rules pauses many times, and nothing is lost', () => {
    const rules = Array.from({ length: 5000 }, (_, i) => ({ id: `rule-${i}`, text: 'größer – 😀' }))
    const bytes = canonicalBytes({ a: [1], rules, z: { rules: [2] } })
    const steps = decodeCanonicalSliced(bytes, limits)
    let pauses = 0
    let step = steps.next()
    for (; step.done !== true; step = steps.next()) pauses++
    expect(step.value).toEqual({ a: [1], rules, z: { rules: [2] } })
    expect(pauses).toBeGreaterThan(bytes.length / 70_000)
  })

  it.each(['{"rules":[]}', '{"rules":{"a":1}}', '{"rules":[[],{}]}', '[{"rules":[1]}]', '{}', '1'])(
    'are read whole whatever stands where the rules should be: %s',
    (text) => {
      expect(read(text)).toEqual(JSON.parse(text))
    },
  )

  it("may be decoded by a host's decoder, and bad ones are still found where they are", () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const text = (bytes: Uint8Array): string => strict.decode(bytes)
    const bytes = encodeUtf8('{"rules":["größer"]}')
    expect(decodeCanonical(bytes, { ...limits, text })).toEqual({ rules: ['größer'] })
    const bad = bytes.with(13, 0xff)
    expect(refusal(() => decodeCanonical(bad, { ...limits, text }))).toMatchObject({
      code: 'BUNDLE_MALFORMED',
      at: 'byte 13',
    })
  })
})
