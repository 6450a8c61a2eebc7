import {
  digest,
  encodeHex,
  isKernelError,
  type Json,
  type Mark,
  nobleCrypto as crypto,
} from '@helm-ai-kernel/core'
import { inspect } from '@helm-ai-kernel/core/bundle'
import { buildAuthored, isAuthored, parseAuthored } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { scope } from '../support/policy.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const yaml = (text: string): Json => parseAuthored(encode(text), 'policy.yaml')

/** The message with which a text is refused. */
function refusal(text: string | Uint8Array, name = 'policy.yaml'): string {
  try {
    parseAuthored(typeof text === 'string' ? encode(text) : text, name)
  } catch (error) {
    expect(isKernelError(error, 'BUNDLE_MALFORMED')).toBe(true)
    return (error as Error).message
  }
  throw new Error('it was taken')
}

describe('policy as people write it', () => {
  it('is told by the name of its file', () => {
    expect(['p.yaml', 'p.yml', 'p.json', 'p.bundle', 'yaml'].map(isAuthored)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
  })

  it('is YAML 1.2, core schema: yes, on and dates are texts', () => {
    expect(yaml('a: [yes, on, ~, true, 0x1F, 0o17, 1.50, 2026-11-22]\nb: |\n  x\n  y\n')).toEqual({
      a: ['yes', 'on', null, true, 31, 15, 1.5, '2026-11-22'],
      b: 'x\ny\n',
    })
  })

  it('keeps a member called __proto__ a member', () => {
    expect(Object.keys(yaml('__proto__: { a: 1 }\nb: 2') as object)).toEqual(['__proto__', 'b'])
  })

  it.each([
    ['an anchor', 'a: &x 1', 'line 1, column 7'],
    ['an alias', 'a: 1\nb: *x', 'line 2, column 4'],
    ['a tag', 'a: !!str 1', 'line 1, column 10'],
    ['a directive', '%YAML 1.1\n---\na: yes', 'line 1, column 1'],
    ['a second document', 'a: 1\n---\nb: 2', 'line 2, column 1'],
    ['a key twice', 'a: 1\n"a": 2', 'line 2, column 1'],
    ['a key twice as number and text', '1: x\n"1": y', 'line 2, column 1'],
    ['a list as a key', '? [1, 2]\n: x', 'line 1, column 3'],
    ['a number that is none', 'a: .inf', 'line 1, column 4'],
    ['an integer beyond 2^53', 'a: 9007199254740993', 'line 1, column 4'],
    ['a number that underflows', 'a: 1e-400', 'line 1, column 4'],
    ['half a character', 'a: "\\ud800"', 'line 1, column 4'],
    ['a tab as indentation', 'a:\n\t- b', 'line 2, column 1'],
    ['65 levels', '['.repeat(66) + ']'.repeat(66), 'nested deeper than 64 levels'],
  ])('refuses %s and says where', (_what, text, place) => {
    expect(refusal(text)).toContain(place)
  })

  it('refuses nesting that would end the process, and a map of many keys, in good time', () => {
    expect(refusal('['.repeat(200_000))).toContain('nested deeper')
    expect(refusal('- '.repeat(100_000))).toContain('nested deeper')
    expect(refusal('? '.repeat(100_000))).toContain('nested deeper')
    const wide = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n')
    expect(Object.keys(yaml(wide) as object)).toHaveLength(20_000)
  })

  it('is UTF-8 without a byte order mark, and at most 1 MiB', () => {
    expect(refusal(Uint8Array.of(0x61, 0xff))).toContain('not UTF-8')
    expect(refusal('\ufeffa: 1')).toContain('byte order mark')
    expect(refusal(`# ${'x'.repeat(1024 * 1024)}`)).toContain('1048576')
  })

  it('is strict JSON when its name says so', () => {
    expect(parseAuthored(encode('{"rules": []}'), 'policy.json')).toEqual({ rules: [] })
    expect(refusal('{"a": 1, "a": 2}', 'policy.json')).toContain('policy.json')
  })
})

describe('the epoch of an authored policy', () => {
  const authored: Json = { rules: [{ id: 'r', effect: 'ALLOW', actions: ['a'] }] }
  const other: Json = { rules: [] }
  const epochOf = (policy: Json, mark?: Mark) =>
    inspect(buildAuthored(policy, scope, mark, crypto)).policyEpoch
  const markOf = (policy: Json, mark?: Mark): Mark => {
    const bytes = buildAuthored(policy, scope, mark, crypto)
    return { epoch: inspect(bytes).policyEpoch, hash: digest(crypto, bytes) }
  }

  it('is 1, or its own, where nothing was active', () => {
    expect(epochOf(authored)).toBe(1)
    expect(epochOf({ ...authored, policy_epoch: 7 })).toBe(7)
  })

  it('stays while the policy is the one that is active', () => {
    const first = markOf(authored)
    expect(markOf(authored, first)).toEqual(first)
    const seventh = markOf({ ...authored, policy_epoch: 7 })
    expect(markOf({ ...authored, policy_epoch: 7 }, seventh)).toEqual(seventh)
  })

  it('is the next one for another policy, whatever its author wrote', () => {
    const first = markOf(authored)
    const second = markOf(other, first)
    expect(second.epoch).toBe(2)
    expect(epochOf(authored, second)).toBe(3)
    expect(epochOf({ ...authored, policy_epoch: 1 }, { ...second, epoch: 9 })).toBe(10)
    expect(epochOf({ ...authored, policy_epoch: 20 }, second)).toBe(20)
  })

  it('settles: what was built after a mark builds the same again from itself', () => {
    const second = markOf(other, markOf(authored))
    expect(markOf(other, second)).toEqual(second)
  })

  it('depends on nothing but the policy: two replicas build the same bytes', () => {
    const mark = markOf(authored)
    const [one, two] = [1, 2].map(() => encodeHex(buildAuthored(other, scope, mark, crypto)))
    expect(one).toBe(two)
  })

  it.each([0, -1, 1.5, '7', null])('refuses policy_epoch %j, also above a mark', (epoch) => {
    const mark: Mark = { ...markOf(authored), epoch: 5 }
    expect(() => epochOf({ ...authored, policy_epoch: epoch }, mark)).toThrow(/policy_epoch/)
  })
})
