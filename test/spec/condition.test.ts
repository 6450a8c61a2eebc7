import type { Conditions, Json } from '@helm-ai-kernel/core'
import { compile, decide } from '@helm-ai-kernel/core/policy'
import { describe, expect, it } from 'vitest'
import { bundleOf, decodeUnsigned, facts, snapshotOf } from '../support/policy.ts'

/** What `when` says of a request: an ESCALATE rule matches on true and on error, told apart by code. */
function truth(when: Json, request: Parameters<typeof facts>[0]): boolean | 'error' {
  const snapshot = snapshotOf([{ id: 'r', effect: 'ESCALATE', actions: ['*'], when }])
  const { verdict, reasonCode } = decide(snapshot, facts(request))
  return verdict === 'DENY' ? false : reasonCode === 'CONDITION_ERROR' ? 'error' : true
}

const compare = (op: string, value: Json): Json => ({ path: 'args.x', op, value })
const x = (value: Json): Parameters<typeof facts>[0] => ({ args: { x: value } })

describe('an operator', () => {
  it.each<[op: string, operand: Json, actual: Json, expected: boolean | 'error']>([
    ['eq', 1, 1, true],
    ['eq', 1, 2, false],
    ['eq', 1, '1', 'error'],
    ['eq', null, null, true],
    ['eq', null, 0, 'error'],
    ['eq', 'a', ['a'], 'error'],
    ['eq', 0, -0, true],
    ['ne', 'a', 'b', true],
    ['ne', 'a', 1, 'error'],
    ['in', ['a', 'b'], 'b', true],
    ['in', ['a', 'b'], 'c', false],
    ['in', ['a', 'b'], 1, 'error'],
    ['not_in', [1, 2], 3, true],
    ['not_in', [1, 2], '3', 'error'],
    ['lt', 2, 1, true],
    ['lte', 2, 2, true],
    ['gt', 2, 2, false],
    ['gte', 'b', 'c', true],
    ['gt', 2, '3', 'error'],
    ['gt', 'a', null, 'error'],
    ['contains', 'lo', 'hello', true],
    ['contains', 1, 'hello', 'error'],
    ['contains', 'a', ['a', 1], true],
    ['contains', 'a', ['b'], false],
    ['contains', 'a', [['a']], 'error'],
    ['contains', 'a', { a: 1 }, 'error'],
    ['starts_with', 'he', 'hello', true],
    ['starts_with', 'he', 5, 'error'],
    ['ends_with', 'lo', 'hello', true],
    ['ends_with', 'x', 'hello', false],
    ['exists', true, null, true],
    ['exists', false, null, false],
    ['within', '/srv/data', '/srv/data', true],
    ['within', '/srv/data/', '/srv/data/a//b', true],
    ['within', '/srv/data', '/srv/database', false],
    ['within', '/', '/etc', true],
    ['within', '/srv', '', 'error'],
    ['within', '/srv', 'srv/a', 'error'],
    ['within', '/srv', '/srv/../etc', 'error'],
    ['within', '/srv', '/srv/./a', 'error'],
    ['within', '/srv', '/srv\\..\\etc', 'error'],
    ['within', '/srv', '/srv/%2E%2e/etc', 'error'],
    ['within', '/srv', '/srv%2fa', 'error'],
    ['within', '/srv', '/srv/a%5Cb', 'error'],
    ['within', '/srv', '/srv/a\0b', 'error'],
  ])('%s %j over %j is %s', (op, operand, actual, expected) => {
    expect(truth(compare(op, operand), x(actual))).toBe(expected)
  })

  it.each([
    'eq',
    'ne',
    'in',
    'not_in',
    'lt',
    'lte',
    'gt',
    'gte',
    'contains',
    'starts_with',
    'ends_with',
    'within',
  ])('%s over a missing value is an error', (op) => {
    const operand = op === 'in' || op === 'not_in' ? ['a'] : op === 'within' ? '/a' : 'a'
    expect(truth(compare(op, operand), { args: {} })).toBe('error')
  })

  it('exists tells a missing value from null', () => {
    expect(truth(compare('exists', true), { args: {} })).toBe(false)
    expect(truth(compare('exists', false), { args: {} })).toBe(true)
  })
})

describe('a path', () => {
  it.each<[path: string, op: string, value: Json, expected: boolean | 'error']>([
    ['principal', 'eq', 'agent:test', true],
    ['action', 'eq', 'a', true],
    ['auth.credential', 'eq', 'agent', true],
    ['auth.roles', 'contains', 'decide', true],
    ['auth.roles.0', 'eq', 'decide', true],
    ['time', 'gte', '2026-11-22T06:00:00.000Z', true],
    ['time', 'lt', '2026-11-22T06:00:00.000Z', false],
    ['args.list.1', 'eq', 'two', true],
    ['args.list.01', 'exists', true, false],
    ['args.list.-1', 'exists', true, false],
    ['args.list.length', 'exists', true, false],
    ['args.constructor', 'exists', true, false],
    ['args.__proto__', 'exists', true, false],
    ['args.text.length', 'exists', true, false],
    ['args.text.0', 'exists', true, false],
    ['args.deep.er.still', 'eq', 1, true],
    ['args.deep.no.still', 'exists', true, false],
  ])('%s %s %j is %s', (path, op, value, expected) => {
    const args = { list: ['one', 'two'], text: 'text', deep: { er: { still: 1 } } }
    expect(truth({ path, op, value }, { args })).toBe(expected)
  })

  it('reaches an own member called __proto__, as any other', () => {
    const args: unknown = JSON.parse('{"__proto__": {"admin": true}}')
    expect(truth({ path: 'args.__proto__.admin', op: 'eq', value: true }, { args })).toBe(true)
    expect(truth({ path: 'args.admin', op: 'exists', value: true }, { args })).toBe(false)
  })
})

describe('strong Kleene logic', () => {
  const t = { path: 'principal', op: 'eq', value: 'agent:test' }
  const f = { path: 'principal', op: 'eq', value: 'nobody' }
  const e = { path: 'args.absent', op: 'eq', value: 1 }

  it.each<[name: string, when: Json, expected: boolean | 'error']>([
    ['all of true and true', { all: [t, t] }, true],
    ['all of true and false', { all: [t, f] }, false],
    ['all of true and error', { all: [t, e] }, 'error'],
    ['all of false and error', { all: [f, e] }, false],
    ['all of error and false', { all: [e, f] }, false],
    ['any of false and false', { any: [f, f] }, false],
    ['any of false and true', { any: [f, t] }, true],
    ['any of error and true', { any: [e, t] }, true],
    ['any of true and error', { any: [t, e] }, true],
    ['any of false and error', { any: [f, e] }, 'error'],
    ['not of true', { not: t }, false],
    ['not of error', { not: e }, 'error'],
    ['not of any of error', { not: { any: [e, f] } }, 'error'],
  ])('%s', (_name, when, expected) => {
    expect(truth(when, {})).toBe(expected)
  })
})

describe('a condition that cannot be read', () => {
  it.each<[when: Json, code: string, place: string, phrase: string]>([
    [compare('like', 'a'), 'COMPILE_FAILED', 'rules[0].when.op', 'no operator "like"'],
    [compare('constructor', 'a'), 'COMPILE_FAILED', 'rules[0].when.op', 'no operator'],
    [compare('eq', []), 'COMPILE_FAILED', 'rules[0].when.value', 'operand of eq is a scalar'],
    [compare('in', []), 'COMPILE_FAILED', 'rules[0].when.value', 'at least one scalar'],
    [compare('in', [1, 'a']), 'COMPILE_FAILED', 'rules[0].when.value', 'all of one type'],
    [compare('lt', true), 'COMPILE_FAILED', 'rules[0].when.value', 'a number or a text'],
    [compare('exists', 'yes'), 'COMPILE_FAILED', 'rules[0].when.value', 'true or false'],
    [compare('within', 'srv'), 'COMPILE_FAILED', 'rules[0].when.value', 'absolute POSIX path'],
    [{ path: 'arg.x', op: 'eq', value: 1 }, 'COMPILE_FAILED', 'when.path', 'not "arg"'],
    [{ path: 'args..x', op: 'eq', value: 1 }, 'COMPILE_FAILED', 'when.path', 'empty member'],
    [{ all: [] }, 'COMPILE_FAILED', 'rules[0].when.all', 'empty list'],
    [{ any: [{ not: { any: [] } }] }, 'COMPILE_FAILED', 'when.any[0].not.any', 'empty list'],
    [{ cel: 'true' }, 'COMPILE_FAILED', 'rules[0].when', 'no CEL'],
    [{ path: 'args.x', op: 'eq' }, 'BUNDLE_MALFORMED', 'when.value', 'needs value'],
    [
      { path: 'args.x', op: 'eq', value: 1, not: {} },
      'BUNDLE_MALFORMED',
      'when.not',
      'beside path',
    ],
    [{ when: true }, 'BUNDLE_MALFORMED', 'rules[0].when', 'all, any, not, path or cel'],
    [{ all: {} }, 'BUNDLE_MALFORMED', 'rules[0].when.all', 'a list'],
  ])('%j is %s at %s', (when, code, place, phrase) => {
    const compile = (): unknown =>
      snapshotOf([{ id: 'the-rule', effect: 'DENY', actions: ['*'], when }])
    expect(compile).toThrow(expect.objectContaining({ code }))
    for (const part of ['rule "the-rule"', place, phrase]) expect(compile).toThrow(part)
  })
})

describe('a condition language that the host gives', () => {
  const when = { cel: 'args.ok' }
  const bundle = decodeUnsigned(bundleOf([{ id: 'r', effect: 'ALLOW', actions: ['*'], when }]))

  it.each<[said: boolean | undefined, code: string]>([
    [true, 'ALLOWED_BY_RULE'],
    [false, 'NO_MATCHING_RULE'],
    [undefined, 'CONDITION_ERROR'],
  ])('is asked for each request: %s gives %s', (said, code) => {
    const compiled: string[] = []
    const conditions: Conditions = {
      compile(expression) {
        compiled.push(expression)
        return ({ args }) => (args['ok'] === 'yes' ? said : !said)
      },
    }
    const snapshot = compile(bundle, conditions)
    expect(decide(snapshot, facts({ args: { ok: 'yes' } })).reasonCode).toBe(code)
    expect(compiled).toEqual(['args.ok'])
  })

  it('says what it cannot compile, and the rule is named', () => {
    const conditions: Conditions = {
      compile() {
        throw new Error('unexpected end of input')
      },
    }
    const compiling = (): unknown => compile(bundle, conditions)
    expect(compiling).toThrow(expect.objectContaining({ code: 'COMPILE_FAILED' }))
    for (const part of ['rule "r"', 'rules[0].when.cel', 'unexpected end']) {
      expect(compiling).toThrow(part)
    }
  })
})
