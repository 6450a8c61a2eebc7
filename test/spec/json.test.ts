import { describe, expect, it } from 'vitest'
import { canonical } from '../../packages/core/src/bytes/canonical.ts'
import { decodeJson } from '../../packages/core/src/bytes/decode.ts'
import type { Json } from '../../packages/core/src/bytes/json.ts'
import { encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { refusal } from '../support/refusal.ts'

const limits = { maxBytes: 1 << 20, code: 'REQUEST_MALFORMED', what: 'request' } as const
const decode = (text: string): Json => decodeJson(encodeUtf8(text), limits)
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('strict JSON', () => {
  it('takes any white space, order and escapes', () => {
    expect(decode(' {"b" :\t[1 , -0.5e1],\r\n"a":"\\u0041\\/\\ud83d\\ude00"} \n')).toEqual({
      b: [1, -5],
      a: 'A/😀',
    })
    expect([decode('true'), decode('false'), decode('null'), decode('""')]).toEqual([
      true,
      false,
      null,
      '',
    ])
  })

  it.each([
    ['a member twice', '{"a":1,\n "b":2, "a":3}', 'member "a" twice', 'line 2, column 9'],
    [
      'a member twice, deep inside',
      '[{"x":{"a":1,"a":1}}]',
      'member "a" twice',
      'line 1, column 14',
    ],
    ['a member twice, once escaped', '{"a":1,"\\u0061":2}', 'member "a" twice', 'line 1, column 8'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'twice', 'line 1, column 16'],
    ['65 levels', nested(65), 'nested deeper than 64', 'line 1, column 65'],
    ['an integer of 2^53', '[9007199254740992]', '2^53 - 1', 'line 1, column 2'],
    ['an integer of -2^53', '[-9007199254740992]', '2^53 - 1', 'line 1, column 2'],
    ['an integer of many digits', '1'.repeat(100_000), '2^53 - 1', 'line 1, column 1'],
    ['a number that overflows', '[0, 1e309]', 'number 1e309 does not fit', 'line 1, column 5'],
    ['a number that underflows', '-1e-400', 'number -1e-400 does not fit', 'line 1, column 1'],
    ['a leading zero', '01', '01 is not a number', 'line 1, column 1'],
    ['a point without digits', '[1.]', '1. is not a number', 'line 1, column 2'],
    ['a plus sign', '+1', 'expected a value, found "+"', 'line 1, column 1'],
    ['a lone surrogate, escaped', '"é\\ud800"', 'surrogate', 'line 1, column 3'],
    ['two halves in the wrong order', '"\\udc00\\ud800"', 'surrogate', 'line 1, column 2'],
    ['a half and then an escape', '"\\ud800\\u0041"', 'surrogate', 'line 1, column 2'],
    ['a lone surrogate in a name', '{"\\udfff":1}', 'surrogate', 'line 1, column 3'],
    ['an unknown escape', '"\\x41"', 'not an escape', 'line 1, column 2'],
    ['a line break in a string', '"a\nb"', 'found byte 0x0a', 'line 1, column 3'],
    ['a byte order mark', '\ufeff{}', 'found a byte order mark', 'line 1, column 1'],
    ['nothing', '', 'expected a value, found the end', 'line 1, column 1'],
    ['an object that stops', '{"a":1', 'expected "," or "}", found the end', 'line 1, column 7'],
    ['a comma too many', '[1,]', 'expected a value, found "]"', 'line 1, column 4'],
    ['a name without quotes', '{a:1}', 'expected a string, found "a"', 'line 1, column 2'],
    ['two documents', '{}\n{}', 'expected the end, found "{"', 'line 2, column 1'],
  ])('refuses %s and says where', (_, text, message, at) => {
    const error = refusal(() => decode(text))
    expect(error).toMatchObject({ code: 'REQUEST_MALFORMED', at })
    expect(error.message).toContain(`request is not strict JSON: `)
    expect(error.message).toContain(message)
    expect(error.message.length).toBeLessThan(200)
  })

  it.each([
    ['a byte that begins nothing', [0x22, 0xff, 0x22]],
    ['a longer form than need be', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a character that stops', [0x22, 0xe2, 0x82]],
  ])('refuses bytes that are not UTF-8: %s', (_, bytes) => {
    const error = refusal(() => decodeJson(Uint8Array.from(bytes), limits))
    expect(error).toMatchObject({ code: 'REQUEST_MALFORMED', at: 'line 1, column 2' })
    expect(error.message).toContain('not UTF-8')
  })

  it('takes 64 levels', () => {
    expect(JSON.stringify(decode(nested(64)))).toBe(nested(64))
  })

  it('refuses more bytes than it may have, before it looks at them', () => {
    const error = refusal(() => decodeJson(encodeUtf8('[1, oops'), { ...limits, maxBytes: 7 }))
    expect(error).toMatchObject({ code: 'REQUEST_MALFORMED' })
    expect(error.message).toBe('request is 8 bytes, at most 7 are allowed')
  })

  it.each([
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER],
    ['4.50', 4.5],
    ['1E3', 1000],
    ['0.1e-5', 0.000001],
    ['0e999', 0],
    ['1e300', 1e300],
    ['5e-324', 5e-324],
    ['9007199254740993.0', 9007199254740992],
  ])('takes %s for its nearest double', (text, value) => {
    expect(decode(text)).toBe(value)
  })

  it('keeps __proto__ as a member like any other', () => {
    const value = decode('{"__proto__":{"polluted":1},"constructor":2}')
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect('polluted' in {}).toBe(false)
    expect(canonical(value)).toBe('{"__proto__":{"polluted":1},"constructor":2}')
  })
})
