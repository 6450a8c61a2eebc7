import type { Json } from '@helm-ai-kernel/core'
import { describe, expect, it, vi } from 'vitest'
import { celOf } from '../../packages/cel/src/json.ts'
import { limits } from '../../packages/cel/src/limits.ts'
import { createMachine } from '../../packages/cel/src/machine.ts'

interface Run {
  readonly result: boolean | 'error' | 'other'
  /** Steps paid for; more than there were when the last payment was refused. */
  readonly spent: number
  /** How often anything was paid: what was really begun. */
  readonly payments: number
}

function run(expression: string, args: Json): Run {
  const machine = createMachine()
  const payments = vi.spyOn(machine.meter, 'spend')
  const program = machine.compile(expression, { args: (value: Json) => celOf(value) })
  const result = program(args) ?? 'error'
  return {
    result: typeof result === 'boolean' || result === 'error' ? result : 'other',
    spent: limits.fuel - machine.meter.left,
    payments: payments.mock.calls.length,
  }
}

const numbers = Array.from({ length: limits.list }, (_, i) => i)

describe('a loop', () => {
  it('goes over a list of the greatest length', () => {
    const { result, spent } = run('args.l.all(x, x >= 0)', { l: numbers })
    expect(result).toBe(true)
    expect(spent).toBeGreaterThan(numbers.length)
    expect(spent).toBeLessThan(limits.fuel)
  })

  it('in a loop stops when the fuel is out, and so does the outer one', () => {
    const { result, spent, payments } = run('args.l.all(x, args.l.all(y, x + y >= 0))', {
      l: numbers,
    })
    expect(result).toBe('error')
    expect(spent).toBeGreaterThan(limits.fuel)
    expect(spent).toBeLessThan(limits.fuel + 1000)
    // 100 million turns were asked for.
    expect(payments).toBeLessThan(limits.fuel / 5)
  })

  it.each([
    'args.l.all(x, args.l.all(y, x + y >= 0)) || true',
    'args.l.exists(x, args.l.exists(y, x + y < 0)) || true',
    'args.l.exists_one(x, args.l.exists_one(y, x + y < 0)) || true',
    '!(args.l.all(x, args.l.all(y, x + y >= 0)) && false)',
    'args.l.all(x, args.l.all(y, x + y >= 0) || true)',
    '[1, 2].exists(x, args.l.all(y, args.s.contains(args.s)) || true)',
    'args.l.map(x, args.l.filter(y, x + y >= 0)) == [] || true',
    'args.s.contains(args.s + args.s) || true',
    'true && (args.l.all(x, args.l.all(y, x + y >= 0)) ? true : true)',
  ])('that ran out of fuel is an error whatever absorbs it: %s', (expression) => {
    const { result, spent } = run(expression, { l: numbers, s: 'a'.repeat(30_000) })
    expect(result).toBe('error')
    expect(spent).toBeGreaterThan(limits.fuel)
  })

  it('pays for what it goes over before it copies it, even if it leaves at once', () => {
    const { result, payments } = run('args.l.all(x, args.l.exists(y, true))', { l: numbers })
    expect(result).toBe('error')
    expect(payments).toBeLessThan(100)
  })

  it('goes on where its fuel is not needed: each evaluation has its own', () => {
    const machine = createMachine()
    const program = machine.compile('args.all(x, args.all(y, x + y >= 0))', {
      args: (value: Json) => celOf(value),
    })
    expect(program(numbers)).toBeUndefined()
    expect(program([1, 2])).toBe(true)
    expect(program(numbers)).toBeUndefined()
    expect(program([1, 2])).toBe(true)
  })
})

describe('a list', () => {
  it(`that is longer than ${limits.list} is an error to read, wherever it stands`, () => {
    const long = [...numbers, 1]
    expect(run('size(args.l) > 0', { l: long }).result).toBe('error')
    expect(run('args.l[0] == 0', { l: long }).result).toBe('error')
    expect(run('args.o.l[0] == 0', { o: { l: long } }).result).toBe('error')
    expect(run('args.n == 1', { l: long, n: 1 }).result).toBe(true)
    const megabyte = { l: Array.from({ length: 350_000 }, () => ({})) }
    expect(run('args.l.all(x, true) || true', megabyte).result).toBe(true)
    expect(run('args.l.all(x, true)', megabyte)).toMatchObject({ result: 'error', payments: 0 })
  })

  it('that an expression makes does not grow beyond as many', () => {
    expect(run(`[1]${'.map(x, [x, x])'.repeat(10)}[0] == 1`, {}).result).toBe('error')
    expect(run('size(args.l + [1]) > 0', { l: numbers }).result).toBe('error')
    expect(run('size(args.l + args.l) > 0', { l: numbers.slice(1000) }).result).toBe('error')
    expect(run('size(args.l.map(x, x)) > 0', { l: numbers }).result).toBe(true)
    const many = Object.fromEntries([...numbers, 'one more'].map((name) => [name, 1]))
    expect(run('args.m.all(k, true)', { m: many }).result).toBe(true)
    expect(run('args.m.map(k, k) == []', { m: many }).result).toBe('error')
    // A list of lists that are all the same one: small to keep, endless to compare.
    const shared = `[[1]]${'.map(x, [x, x])'.repeat(9)}`
    const { result, spent } = run(`${shared}${'.map(x, [x, x])'.repeat(6)} == ${shared}`, {})
    expect(result).not.toBe('other')
    expect(spent).toBeLessThan(limits.fuel + 1000)
  })

  it('compares no further than the fuel goes', () => {
    const deep = `[[1]]${'.map(x, [x, x])'.repeat(18)}`
    const { result, payments } = run(`${deep} == ${deep}`, {})
    expect(result).toBe('error')
    expect(payments).toBeLessThan(limits.fuel * 2)
  })
})

describe('a text', () => {
  it(`that an expression makes does not grow beyond ${limits.text}`, () => {
    const doubled = (times: number): string =>
      `['0123456789abcdef']${'.map(x, x + x)'.repeat(times)}.all(x, size(x) > 16)`
    expect(run(doubled(12), {}).result).toBe(true)
    expect(run(doubled(13), {}).result).toBe('error')
    expect(run(doubled(18), {}).result).toBe('error')
    const half = 'a'.repeat(limits.text / 2)
    expect(run('size(args.s + args.s) > 0', { s: half }).result).toBe(true)
    expect(run("size(args.s + args.s + 'a') > 0", { s: half }).result).toBe('error')
  })

  it.each([
    ['args.s.contains(args.t)', 'a search that compares all with all'],
    ['args.l.exists(x, args.s.contains(string(x)))', 'a search in a loop'],
    ['args.l.all(x, size(args.s) > 0)', 'a length in a loop'],
    ['args.l.all(x, args.s == args.same)', 'a comparison in a loop'],
    ['args.l.all(x, args.s <= args.same)', 'an order in a loop'],
    ['args.l.all(x, args.s in [args.same])', 'a membership in a loop'],
  ])('is paid for by length: %s (%s)', (expression) => {
    const s = 'a'.repeat(500_000)
    const t = `${'a'.repeat(1000)}b${'a'.repeat(100_000)}`
    const args = { s, t, same: `${s.slice(1)}a`, l: numbers }
    const { result, spent, payments } = run(expression, args)
    expect(result).toBe('error')
    expect(spent).toBeGreaterThan(limits.fuel)
    expect(payments).toBeLessThan(1000)
  })

  it.each(['int', 'double'])('of more than 128 is read as no number: %s', (name) => {
    const expression = `${name}(args.s) == 1`
    expect(run(expression, { s: '1'.padStart(128, '0') }).result).toBe(true)
    expect(run(expression, { s: '1'.padStart(129, '0') }).result).toBe('error')
  })
})

describe('evaluation', () => {
  it('leaves the errors of others their stacks', () => {
    const before = Error.stackTraceLimit
    Error.stackTraceLimit = 7
    try {
      run('args.l.all(x, x.no || x < true)', { l: numbers })
      expect(Error.stackTraceLimit).toBe(7)
    } finally {
      Error.stackTraceLimit = before
    }
  })

  it('of what cannot even be read is an error, and never throws', () => {
    const machine = createMachine()
    const broken = (): never => {
      throw new Error('no')
    }
    expect(machine.compile('x || true', { x: broken })(undefined)).toBeUndefined()
    const args = new Proxy({}, { getOwnPropertyDescriptor: broken, ownKeys: broken, get: broken })
    for (const expression of [
      'args.x',
      "'x' in args",
      'size(args)',
      'args == args',
      'has(args.x)',
    ]) {
      expect(run(expression, args).result, expression).toBe('error')
    }
  })

  it('converts only what it reads', () => {
    let reads = 0
    const counted = new Proxy<Record<string, Json>>(
      { n: 1, big: numbers },
      {
        get(target, name) {
          reads++
          return typeof name === 'string' ? (target[name] ?? null) : undefined
        },
      },
    )
    expect(run('args.n == 1 && args.n < 2', counted).result).toBe(true)
    expect(reads).toBe(1)
  })
})
