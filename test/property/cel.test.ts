import { celConditions } from '@helm-ai-kernel/cel'
import { isKernelError, type Json } from '@helm-ai-kernel/core'
import type { Facts } from '@helm-ai-kernel/core/policy'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operators } from '../../packages/core/src/policy/operator.ts'
import { jsonValues } from '../support/json-values.ts'
import { auth, now } from '../support/policy.ts'

const conditions = celConditions()

function factsOf(args: Readonly<Record<string, Json>>): Facts {
  return {
    principal: 'p',
    action: 'a',
    resource: 'r',
    sessionId: 's',
    args,
    context: {},
    auth,
    now,
  }
}

function truth(expression: string, args: Readonly<Record<string, Json>>): boolean | 'error' {
  return conditions.compile(expression)(factsOf(args)) ?? 'error'
}

const scalars = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, -0, 1, 0.5, '', '1', 'a', 'true'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const named = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', '$typeName', 'length', 'x', ''),
  fc.string({ unit: 'binary', maxLength: 3 }),
)
const objects = fc
  .uniqueArray(fc.tuple(named, jsonValues), { maxLength: 4, selector: ([name]) => name })
  .map((members) => Object.fromEntries(members) as Record<string, Json>)

/** Conditions that read `args.x` and `args.y` in every way there is; each may be any of three values. */
const atoms = [
  'args.x == args.y',
  'args.x != args.y',
  'args.x in args.y',
  'args.x < args.y',
  'args.x >= 0',
  'args.x',
  'has(args.x.y)',
  'has(args.z)',
  'args.x[args.y] == args.y',
  "args.x['__proto__'] == args.y",
  'args.x.constructor == args.y',
  'size(args.x) > 0',
  'args.x.contains(args.y)',
  'args.x + args.y == args.x',
  'args.x.all(i, i == args.y)',
  'args.x.exists(i, args.x[i] == args.y || i > 0)',
  'args.x.map(i, [i, args.y]).exists(p, p[0] == p[1])',
  'args.x.filter(i, i in args.y) == []',
  'int(args.x) == 1 || double(args.x) == 1.0',
  'timestamp(args.x) < timestamp(args.y)',
  'true',
  'false',
] as const
const atom = fc.constantFrom(...atoms)

describe('a condition in CEL', () => {
  it('over any JSON is true, false or an error, and changes nothing', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).sort()
    fc.assert(
      fc.property(atom, jsonValues, jsonValues, (expression, x, y) => {
        const args = { x, y }
        const written = JSON.stringify(args)
        expect([true, false, 'error']).toContain(truth(expression, args))
        expect(JSON.stringify(args)).toBe(written)
      }),
      { numRuns: 1000 },
    )
    expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(before)
  })

  it('does not depend on the order of what `&&` and `||` join', () => {
    fc.assert(
      fc.property(atom, atom, jsonValues, jsonValues, (a, b, x, y) => {
        const args = { x, y }
        expect(truth(`(${a}) || (${b})`, args)).toBe(truth(`(${b}) || (${a})`, args))
        expect(truth(`(${a}) && (${b})`, args)).toBe(truth(`(${b}) && (${a})`, args))
        expect(truth(`!((${a}) && (${b}))`, args)).toBe(truth(`!(${a}) || !(${b})`, args))
      }),
      { numRuns: 500 },
    )
  })

  it('does not depend on the order of a list', () => {
    const loop = fc.constantFrom(
      'args.l.all(i, i == args.y)',
      'args.l.exists(i, i == args.y)',
      'args.l.exists_one(i, i == args.y)',
      'args.y in args.l',
      'args.l.exists(i, i > 0 || i.a)',
    )
    fc.assert(
      fc.property(loop, fc.array(scalars, { maxLength: 6 }), scalars, (expression, l, y) => {
        const expected = truth(expression, { l, y })
        expect(truth(expression, { l: l.toReversed(), y })).toBe(expected)
        expect(truth(expression, { l: [...l.slice(1), ...l.slice(0, 1)], y })).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('compares as the operators of the core do', () => {
    const pairs = [
      ['eq', '=='],
      ['ne', '!='],
      ['lt', '<'],
      ['lte', '<='],
      ['gt', '>'],
      ['gte', '>='],
    ] as const
    fc.assert(
      fc.property(fc.constantFrom(...pairs), scalars, scalars, ([name, sign], x, y) => {
        const test = operators[name]?.(y)
        // Not an operand of this operator: a policy with it does not compile.
        if (typeof test !== 'function') return
        expect(truth(`args.x ${sign} args.y`, { x, y })).toBe(test(x) ?? 'error')
      }),
      { numRuns: 1000 },
    )
  })

  it('finds the own members of an object, whatever their names', () => {
    fc.assert(
      fc.property(objects, named, (o, name) => {
        const there = Object.hasOwn(o, name)
        expect(truth('args.name in args.o', { o, name })).toBe(there)
        expect(truth('args.o[args.name] == args.o[args.name]', { o, name })).toBe(
          there ? true : 'error',
        )
        expect(truth('size(args.o) == args.n', { o, n: Object.keys(o).length })).toBe(true)
        expect(truth('args.o == args.o', { o })).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('compiles or is refused, and if it compiles it runs, whatever the text', () => {
    const tokens = fc.constantFrom(
      ...['args', '.x', "['a']", '[0]', '(', ')', '[', ']', '{', '}', ',', ':', '?', '!', '-', '+'],
      ...[
        '==',
        '!=',
        ' in ',
        '<',
        '&&',
        '||',
        '1',
        '1.5',
        '1u',
        "'a'",
        'r"\\"',
        '"\\u00e9"',
        "'''",
      ],
      ...[
        'true',
        'null',
        '.all(i, ',
        '.map(i, ',
        '.filter(i, ',
        'has(args.x)',
        'i',
        '//',
        '\n',
        '%',
      ],
      ...['size(', 'int(', 'string(', '.matches(', '__proto__', 'timestamp(time)', '.getHours()'],
    )
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 12 }), jsonValues, (words, x) => {
        let condition
        try {
          condition = conditions.compile(words.join(''))
        } catch (error) {
          expect(isKernelError(error, 'COMPILE_FAILED')).toBe(true)
          return
        }
        expect([true, false, undefined]).toContain(condition(factsOf({ x })))
      }),
      { numRuns: 1000 },
    )
  })
})
