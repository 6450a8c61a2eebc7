import { describe, expect, it } from 'vitest'
import { canonical } from '../../packages/core/src/bytes/canonical.ts'
import { toJson } from '../../packages/core/src/bytes/to-json.ts'
import { refusal } from '../support/refusal.ts'

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))

describe('a value that an embedder hands in', () => {
  it('is copied and frozen, members in canonical order', () => {
    const given = { b: [1, { c: null }], a: 'x', '😀': true }
    const json = toJson(given, 'args')
    expect(json).toEqual(given)
    expect(JSON.stringify(json)).toBe('{"a":"x","b":[1,{"c":null}],"😀":true}')
    given.a = 'changed'
    expect(json).toMatchObject({ a: 'x' })
    expect(
      [json, (json as typeof given).b, (json as typeof given).b[1]].every(Object.isFrozen),
    ).toBe(true)
  })

  it('may have no prototype, come from a class-free proxy, or hold any finite double', () => {
    expect(toJson(Object.assign(Object.create(null), { a: 1 }), 'args')).toEqual({ a: 1 })
    expect(toJson(new Proxy({ a: [1] }, {}), 'args')).toEqual({ a: [1] })
    expect(toJson([1e300, 2 ** 60, -0.5], 'args')).toEqual([1e300, 2 ** 60, -0.5])
  })

  it('keeps __proto__ as a member like any other', () => {
    const json = toJson(JSON.parse('{"__proto__":{"polluted":1}}'), 'args')
    expect(Object.keys(json as object)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(json)).toBe(Object.prototype)
    expect(canonical(json)).toBe('{"__proto__":{"polluted":1}}')
  })

  class Point {
    x = 1
  }
  const cycle: unknown[] = []
  cycle.push({ cycle })

  it.each([
    ['undefined', undefined, 'undefined'],
    ['a function', () => 1, 'function'],
    ['a symbol', Symbol('s'), 'symbol'],
    ['a bigint', 1n, 'bigint'],
    ['NaN', NaN, 'NaN'],
    ['Infinity', -Infinity, '-Infinity'],
    ['a lone surrogate', 'a\ud800', 'a lone surrogate'],
    ['a Map', new Map(), 'an instance of a class'],
    ['a Set', new Set(), 'an instance of a class'],
    ['a Date', new Date(0), 'an instance of a class'],
    ['bytes', new Uint8Array(1), 'an instance of a class'],
    ['a boxed number', Object(1), 'an instance of a class'],
    ['an instance of a class', new Point(), 'an instance of a class'],
    ['an heir of an array', new (class extends Array<number> {})(), 'an instance of a class'],
    ['an array with a hole', [1, , 3], 'an array with holes or other members'],
    [
      'an array with a member',
      Object.assign([1], { a: 1 }),
      'an array with holes or other members',
    ],
    ['a symbol as a name', { [Symbol('s')]: 1 }, 'a symbol as a name'],
    ['a lone surrogate in a name', { '\udc00': 1 }, 'a name with a lone surrogate'],
  ])('is refused when %s is in it', (_, part: unknown, found) => {
    const error = refusal(() => toJson({ items: [0, 1, { when: part }] }, 'args'))
    expect(error).toMatchObject({ code: 'REQUEST_MALFORMED', at: 'args.items[2].when' })
    expect(error.message).toContain(`found ${found}: give null, booleans, finite numbers`)
  })

  it('is refused when it has a getter, which is never run', () => {
    const args = {
      get amount(): number {
        return expect.unreachable('the getter ran')
      },
    }
    expect(refusal(() => toJson(args, 'args'))).toMatchObject({ at: 'args.amount' })
    const hidden = Object.defineProperty({}, 'a b', { value: 1 })
    expect(refusal(() => toJson(hidden, 'args'))).toMatchObject({ at: 'args["a b"]' })
  })

  it('is refused when it has more than 64 levels, or goes in a circle', () => {
    expect(toJson(nested(64), 'args')).toBeTypeOf('object')
    const levels = refusal(() => toJson(nested(65), 'args'))
    expect(levels).toMatchObject({ at: `args${'[0]'.repeat(64)}` })
    expect(refusal(() => toJson(cycle, 'args')).message).toContain(
      'more than 64 levels, or a cycle',
    )
  })
})
