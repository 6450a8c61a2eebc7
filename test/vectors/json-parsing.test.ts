import { describe, expect, it } from 'vitest'
import { decodeJson } from '../../packages/core/src/bytes/decode.ts'
import { isKernelError } from '../../packages/core/src/error.ts'
import { haveVectors, noVectors, vector, vectorNames } from '../support/vectors.ts'

const folder = 'json/test_parsing'

/** JSON by the grammar, but a member twice: RFC 8259 only advises against it, we refuse it. */
const duplicates = ['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json']

/** What RFC 8259 leaves to the implementation, and our choice. */
const choices: Readonly<Record<string, 'accept' | 'reject'>> = {
  'i_number_double_huge_neg_exp.json': 'reject',
  'i_number_huge_exp.json': 'reject',
  'i_number_neg_int_huge_exp.json': 'reject',
  'i_number_pos_double_huge_exp.json': 'reject',
  'i_number_real_neg_overflow.json': 'reject',
  'i_number_real_pos_overflow.json': 'reject',
  'i_number_real_underflow.json': 'reject',
  'i_number_too_big_neg_int.json': 'reject',
  'i_number_too_big_pos_int.json': 'reject',
  'i_number_very_big_negative_int.json': 'reject',
  'i_object_key_lone_2nd_surrogate.json': 'reject',
  'i_string_1st_surrogate_but_2nd_missing.json': 'reject',
  'i_string_1st_valid_surrogate_2nd_invalid.json': 'reject',
  'i_string_UTF-16LE_with_BOM.json': 'reject',
  'i_string_UTF-8_invalid_sequence.json': 'reject',
  'i_string_UTF8_surrogate_U+D800.json': 'reject',
  'i_string_incomplete_surrogate_and_escape_valid.json': 'reject',
  'i_string_incomplete_surrogate_pair.json': 'reject',
  'i_string_incomplete_surrogates_escape_valid.json': 'reject',
  'i_string_invalid_lonely_surrogate.json': 'reject',
  'i_string_invalid_surrogate.json': 'reject',
  'i_string_invalid_utf-8.json': 'reject',
  'i_string_inverted_surrogates_U+1D11E.json': 'reject',
  'i_string_iso_latin_1.json': 'reject',
  'i_string_lone_second_surrogate.json': 'reject',
  'i_string_lone_utf8_continuation_byte.json': 'reject',
  'i_string_not_in_unicode_range.json': 'reject',
  'i_string_overlong_sequence_2_bytes.json': 'reject',
  'i_string_overlong_sequence_6_bytes.json': 'reject',
  'i_string_overlong_sequence_6_bytes_null.json': 'reject',
  'i_string_truncated-utf-8.json': 'reject',
  'i_string_utf16BE_no_BOM.json': 'reject',
  'i_string_utf16LE_no_BOM.json': 'reject',
  'i_structure_500_nested_arrays.json': 'reject',
  'i_structure_UTF-8_BOM_empty_object.json': 'reject',
}

const limits = { maxBytes: 1 << 20, code: 'REQUEST_MALFORMED', what: 'request' } as const

function decode(name: string): unknown {
  return decodeJson(vector(`${folder}/${name}`), limits)
}

function verdict(name: string): 'accept' | 'reject' {
  try {
    decode(name)
    return 'accept'
  } catch (error) {
    // Anything else that is thrown, a RangeError say, is a fault and no verdict.
    if (isKernelError(error, 'REQUEST_MALFORMED')) return 'reject'
    throw error
  }
}

if (!haveVectors) console.log(noVectors)
const names = haveVectors ? vectorNames(folder) : []
const named = (prefix: string): readonly string[] => names.filter((name) => name.startsWith(prefix))

describe.skipIf(!haveVectors)('strict JSON and the JSON Test Suite', () => {
  it('has all 318 documents before it', () => {
    expect(names).toHaveLength(318)
    expect(names.filter((name) => !/^[yni]_/.test(name))).toEqual([])
  })

  it.each(named('y_').filter((name) => !duplicates.includes(name)))('accepts %s', (name) => {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(vector(`${folder}/${name}`))
    expect(decode(name)).toEqual(JSON.parse(text))
  })

  it.each(duplicates)('refuses the member twice in %s', (name) => {
    expect(() => decode(name)).toThrow(/member "a" twice/)
  })

  it.each(named('n_'))('refuses %s', (name) => {
    expect(verdict(name)).toBe('reject')
  })

  it('decides what the RFC leaves open as the golden table says', () => {
    expect(Object.fromEntries(named('i_').map((name) => [name, verdict(name)]))).toEqual(choices)
  })
})
