import { celConditions } from '@helm-ai-kernel/cel'
import type { Json } from '@helm-ai-kernel/core'
import { afterEach, describe, expect, it } from 'vitest'
import { facts } from '../support/policy.ts'

const conditions = celConditions()

/** What a condition in CEL says of these arguments. */
function truth(expression: string, args: Json = {}): boolean | 'error' {
  const found = facts({ args, context: { note: 'n' }, resource: 'r', sessionId: 's' })
  if (found === undefined) throw new Error('no facts')
  return conditions.compile(expression)(found) ?? 'error'
}

type Row = readonly [expression: string, args: Json, expected: boolean | 'error']

describe('a condition in CEL', () => {
  it.each([
    ["principal == 'agent:test'", true],
    ["action == 'a' && resource == 'r' && session_id == 's'", true],
    ["context.note == 'n'", true],
    ["auth.tenant_id == 'default' && auth.surface == 'evaluate'", true],
    ["'decide' in auth.roles", true],
    ["time == '2026-11-22T06:00:00.000Z'", true],
    ["time > '2026-11-22'", true],
    ["timestamp(time) - timestamp('2026-11-22T05:00:00Z') == duration('1h')", true],
  ])('sees the roots that paths see: %s', (expression, expected) => {
    expect(truth(expression)).toBe(expected)
  })

  it('holds only when it is true: any other result is an error', () => {
    expect(truth('true')).toBe(true)
    expect(truth('false')).toBe(false)
    for (const other of ['1', '0', "''", "'true'", 'null', '[]', '{}', 'args', 'principal']) {
      expect(truth(other), other).toBe('error')
    }
  })
})

describe('numbers', () => {
  it.each<Row>([
    ['args.n > 100', { n: 100.5 }, true],
    ['args.n > 100.0', { n: 100 }, false],
    ['args.n == 100', { n: 100 }, true],
    ['args.n != 100', { n: 100 }, false],
    ['args.n in [1, 2, 3]', { n: 2 }, true],
    ['args.n in [1.0, 2.5]', { n: 2.5 }, true],
    ['args.n * 2 + 1 == 11', { n: 5 }, true],
    ['args.n / 2 == 2.5', { n: 5 }, true],
    ['10 - args.n < 6', { n: 5 }, true],
    ['args.a + args.b == 0.75', { a: 0.5, b: 0.25 }, true],
    ['args.list[args.n] == 3', { list: [1, 2, 3], n: 2 }, true],
    ['int(args.n) % 2 == 1', { n: 5 }, true],
    ['args.n % 2 == 1', { n: 5 }, 'error'],
    ['size(args.list) == 3', { list: [1, 2, 3] }, true],
    ['args.n == 9007199254740993', { n: 9007199254740992 }, false],
  ])('of JSON mix with integers: %s over %j is %s', (expression, args, expected) => {
    expect(truth(expression, args)).toBe(expected)
  })

  it.each<Row>([
    ['args.a / args.b > 1.0', { a: 0, b: 0 }, 'error'],
    ['args.a / args.b > 1.0', { a: 1, b: 0 }, 'error'],
    ['args.a * args.b > 1.0', { a: 1e300, b: 1e300 }, 'error'],
    ['1 / 0 == 1', {}, 'error'],
    ['9223372036854775807 + 1 > 0', {}, 'error'],
    ['9007199254740993 + args.n > 0.0', { n: 0 }, 'error'],
  ])('that JSON cannot hold are errors: %s over %j', (expression, args, expected) => {
    expect(truth(expression, args)).toBe(expected)
  })

  it.each<Row>([
    ["int('42') == 42 && int('-7') == -7", {}, true],
    ["double('1.5e3') == 1500.0", {}, true],
    ["int('')", {}, 'error'],
    ["int('') == 0", {}, 'error'],
    ["int('0x10') == 16", {}, 'error'],
    ["int(' 1') == 1", {}, 'error'],
    ["int('9223372036854775808') > 0", {}, 'error'],
    ["double('') == 0.0", {}, 'error'],
    ["double('many') < 1.0 || double('many') >= 1.0", {}, 'error'],
    ["double('Infinity') > 1.0", {}, 'error'],
    ["double('1e999') > 1.0", {}, 'error'],
    ["bool('yes')", {}, 'error'],
  ])('are read from decimal texts and from no other: %s', (expression, args, expected) => {
    expect(truth(expression, args)).toBe(expected)
  })
})

describe('two types', () => {
  it.each<Row>([
    ["args.x == '1'", { x: 1 }, 'error'],
    ["args.x != '1'", { x: 1 }, 'error'],
    ['args.x == true', { x: 'true' }, 'error'],
    ['args.x == null', { x: null }, true],
    ['args.x == null', { x: '' }, 'error'],
    ['args.x == 0', { x: null }, 'error'],
    ["args.x in ['a', 'b']", { x: 1 }, 'error'],
    ["args.x in ['a', 1]", { x: 'a' }, true],
    ["args.x in ['b', 1]", { x: 'a' }, 'error'],
    ["args.x in [1, 'b']", { x: 'a' }, 'error'],
    ['args.x in []', { x: 'a' }, false],
    ["args.x in {'a': 1}", { x: 'a' }, true],
    ["args.x in {'a': 1}", { x: 1 }, 'error'],
    ["args.x in 'abc'", { x: 'a' }, 'error'],
    ['args.x == args.y', { x: [1, 'a'], y: [1, 'a'] }, true],
    ['args.x == args.y', { x: [1, 'a'], y: [1, 2] }, 'error'],
    ['args.x == args.y', { x: [1, 'a'], y: [2, 2] }, false],
    ['args.x == args.y', { x: ['a', 1], y: [2, 2] }, false],
    ['args.x == args.y', { x: [1], y: [1, 2] }, false],
    ['args.x == args.y', { x: { a: 1, b: 'x' }, y: { b: 'x', a: 1 } }, true],
    ['args.x == args.y', { x: { a: 1 }, y: { b: 1 } }, false],
    ['args.x == args.y', { x: { a: 1 }, y: { a: '1' } }, 'error'],
    ['args.x == args.y', { x: {}, y: [] }, 'error'],
    ["timestamp(args.x) == duration('1s')", { x: '2026-01-01T00:00:00Z' }, 'error'],
    ["args.x < 'b'", { x: 1 }, 'error'],
    ['args.x < null', { x: 1 }, 'error'],
    ["args.x + 'b' == 'ab'", { x: 1 }, 'error'],
    ['args.x && true', { x: 1 }, 'error'],
    ['args.x ? true : true', { x: 1 }, 'error'],
    ['!args.x', { x: 'false' }, 'error'],
  ])('are never equal nor unequal: %s over %j is %s', (expression, args, expected) => {
    expect(truth(expression, args)).toBe(expected)
  })
})

describe('a member', () => {
  it.each<Row>([
    ['has(args.x)', { x: null }, true],
    ['has(args.x)', {}, false],
    ["'x' in args", { x: null }, true],
    ["'x' in args", {}, false],
    ['has(args.x.y)', { x: {} }, false],
    ['has(args.x.y)', {}, 'error'],
    ['has(args.x.y)', { x: 'text' }, 'error'],
    ['has(args.x.y)', { x: [] }, 'error'],
    ['args.x == 1', {}, 'error'],
    ["args['x'] == 1", { x: 1 }, true],
    ['args[args.k] == 1', { k: 'x', x: 1 }, true],
    ['args[0] == 1', { '0': 1 }, 'error'],
    ['args[true] == 1', { true: 1 }, 'error'],
    ['args.x[0] == 1', { x: [1] }, true],
    ['args.x[-1] == 1', { x: [1] }, 'error'],
    ['args.x[1] == 1', { x: [1] }, 'error'],
    ['args.x[0.5] == 1', { x: [1] }, 'error'],
    ['args.x[0.5] == 1 || true', { x: [1] }, true],
    ["args.x['0'] == 1", { x: [1] }, 'error'],
    ['args.x[false] == 1', { x: [1] }, 'error'],
    ["args.x[0] == 'a'", { x: 'a' }, 'error'],
    ['args.x.length == 1', { x: [1] }, 'error'],
    ['args.x.length == 1', { x: 'a' }, 'error'],
    ["timestamp('2026-01-01T00:00:00Z').seconds > 0", {}, 'error'],
  ])('is one of a map, or an item of a list: %s over %j is %s', (expression, args, expected) => {
    expect(truth(expression, args)).toBe(expected)
  })

  const inherited = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '$typeName',
  ]

  it.each(inherited)('called %s is there when it is an own one, and only then', (name) => {
    const own = JSON.parse(
      `{"o": {"${name}": {"admin": true}}, "list": [{"${name}": "x"}]}`,
    ) as Json
    for (const [expression, there, absent] of [
      [`has(args.o.${name})`, true, false],
      [`'${name}' in args.o`, true, false],
      [`args.o.${name}.admin`, true, 'error'],
      [`args.o['${name}']['admin']`, true, 'error'],
      [`args.list.all(x, x.${name} == 'x')`, true, 'error'],
      ['has(args.o.admin)', false, false],
    ] as const) {
      // A member whose name begins with a dollar is no identifier of CEL.
      if (expression.includes('.$')) continue
      expect(truth(expression, own), expression).toBe(there)
      expect(truth(expression, { o: {}, list: [{}] }), expression).toBe(absent)
    }
    expect({}).not.toHaveProperty('admin')
  })

  it('makes no message of an object, whatever it calls itself', () => {
    const claim = { $typeName: 'google.protobuf.Duration', seconds: 5, nanos: 0 }
    expect(truth("args.x['$typeName'] == 'google.protobuf.Duration'", { x: claim })).toBe(true)
    expect(truth("args.x[0]['$typeName'] == 'google.protobuf.Duration'", { x: [claim] })).toBe(true)
    expect(truth("args.x == duration('5s')", { x: claim })).toBe('error')
    expect(truth('args.x.getSeconds() == 5', { x: claim })).toBe('error')
    const any = { $typeName: 'google.protobuf.Any', typeUrl: 'x', value: '' }
    expect(truth('size(args.x) == 3', { x: any })).toBe(true)
  })
})

describe('errors', () => {
  it.each([
    ['args.no == 1 || true', true],
    ['true || args.no == 1', true],
    ['args.no == 1 || false', 'error'],
    ['false || args.no == 1', 'error'],
    ['args.no == 1 && false', false],
    ['false && args.no == 1', false],
    ['args.no == 1 && true', 'error'],
    ['1 || true', true],
    ['1 && false', false],
    ['!(args.no == 1)', 'error'],
    ['args.no ? true : true', 'error'],
    ['true ? true : args.no', true],
    ['[1, 2].exists(x, x == 1 || args.no)', true],
    ['[2, 1].exists(x, x == 1 || args.no)', true],
    ['[1, 2].all(x, x == 1 && args.no)', false],
    ['[2, 1].all(x, x == 1 && args.no)', false],
    ["[1, 'a'].exists(x, x == 1)", true],
    ["['a', 1].exists(x, x == 1)", true],
    ["['a', 2].exists(x, x == 1)", 'error'],
    ["['a', 1].exists_one(x, x == 1)", 'error'],
    ["[1, 'a'].exists_one(x, x == 1)", 'error'],
  ])(
    'are absorbed in strong Kleene logic, whatever the order: %s is %s',
    (expression, expected) => {
      expect(truth(expression)).toBe(expected)
    },
  )
})

describe('texts, lists and maps', () => {
  it.each<Row>([
    ["args.s.startsWith('a') && args.s.endsWith('c') && args.s.contains('b')", { s: 'abc' }, true],
    ['size(args.s) == 3 && args.s.size() == 3', { s: 'aé😀' }, true],
    ["args.s < 'b'", { s: 'a' }, true],
    ["args.to.all(x, x.endsWith('@example.com'))", { to: ['a@example.com'] }, true],
    ["args.to.all(x, x.endsWith('@example.com'))", { to: ['a@example.org'] }, false],
    ['args.to.exists_one(x, x == 1)', { to: [1, 2, 1] }, false],
    ['args.l.map(x, x * 2) == [2, 4]', { l: [1, 2] }, true],
    ['args.l.map(x, x > 1, x * 2) == [4]', { l: [1, 2] }, true],
    ['args.l.filter(x, x > 1).size() == 1', { l: [1, 2] }, true],
    ['args.l + [3] == [1, 2, 3] && args.l == [1, 2]', { l: [1, 2] }, true],
    ["args.m.all(k, k.startsWith('x-'))", { m: { 'x-a': 1 } }, true],
    ['args.m.all(k, args.m[k] > 0)', { m: { a: 1, b: 2 } }, true],
    ["{'EUR': 100, 'USD': 120}[args.c] >= args.n", { c: 'EUR', n: 99 }, true],
    ["{'EUR': 100, 'USD': 120}[args.c] >= args.n", { c: 'GBP', n: 99 }, 'error'],
    ['args.l.map(x, [1].map(y, y + x)) == [[2], [3]]', { l: [1, 2] }, true],
    ['args.l.all(x, args.l.map(y, y) == [1, 2])', { l: [1, 2] }, true],
  ])('%s over %j is %s', (expression, args, expected) => {
    expect(truth(expression, args)).toBe(expected)
  })
})

describe('the parts of a moment', () => {
  const zone = process.env['TZ']
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  })

  it('do not depend on the zone of the machine, not in the hour its summer time skips', () => {
    process.env['TZ'] = 'America/New_York'
    expect(new Date(2024, 2, 10, 2, 30).getHours()).toBe(3)
    expect(truth("timestamp('2024-03-10T02:30:00Z').getHours() == 2")).toBe(true)
    expect(truth("timestamp('2024-03-10T02:30:00Z').getHours('+00:00') == 2")).toBe(true)
  })

  it.each([
    ["timestamp('2026-07-01T22:30:00Z').getHours('Europe/Paris') == 0", true],
    ["timestamp('2026-07-01T22:30:00Z').getDate('Europe/Paris') == 2", true],
    ["timestamp('2026-01-01T22:30:00Z').getHours('Europe/Paris') == 23", true],
    ["timestamp('2026-01-01T00:00:00Z').getHours('-05:30') == 18", true],
    ["timestamp('2026-01-01T00:00:00Z').getFullYear('-05:30') == 2025", true],
    ["timestamp('2026-12-31T00:00:00Z').getDayOfYear() == 364", true],
    ["timestamp('2026-11-22T00:00:00Z').getDayOfWeek() == 0", true],
    ["timestamp('1969-12-31T23:59:59.9996Z').getMilliseconds() == 999", true],
    ["timestamp('1969-12-31T23:59:59.250Z').getMilliseconds('Asia/Tokyo') == 250", true],
    ["timestamp(0) == timestamp('1970-01-01T00:00:00Z')", true],
    ["timestamp(1700000000) == timestamp('2023-11-14T22:13:20Z')", true],
    ['timestamp(1700000000000) > timestamp(0)', 'error'],
    ["duration(5) == duration('5s')", 'error'],
    ["duration('90m').getHours() == 1", true],
    ["timestamp('yesterday') < timestamp(time)", 'error'],
  ])('%s is %s', (expression, expected) => {
    expect(truth(expression)).toBe(expected)
  })
})
