import { celConditions } from '@helm-ai-kernel/cel'
import { describe, expect, it } from 'vitest'
import { refusal } from '../support/refusal.ts'

const conditions = celConditions()

function refused(expression: string): { readonly at: string | undefined; readonly says: string } {
  const { code, at, message } = refusal(() => conditions.compile(expression))
  expect(code).toBe('COMPILE_FAILED')
  return { at, says: message }
}

describe('what does not compile', () => {
  it.each([
    ["args.path.matches('^/srv')", 'startsWith'],
    ["matches(args.path, '(a+)+$')", 'regular expressions are refused'],
    ['type(args.x) == int', 'types are refused'],
    ['args.x == int', 'no variable "int"'],
    ['dyn(args.x) == 1', 'leave dyn out'],
    ["bytes('a') == b'a'", 'compare texts'],
    ["b'a' == b'a'", 'no literal of bytes'],
    ['1u == 1u', 'no literal of uint'],
    ['uint(1) > uint(args.x)', 'no function "uint"'],
    ["google.protobuf.Duration{seconds: 1} == duration('1s')", 'no message'],
    ['{1: 2}[1] == 2', 'a key of a map is a literal text'],
    ['{args.k: 2} == {}', 'a key of a map is a literal text'],
    ["{'a': 1, 'a': 2} == {}", 'the key "a" stands twice'],
    ['user.name == 1', 'no variable "user": there are principal action resource'],
    ['now > 1', 'no variable "now"'],
    ['constructor == 1', 'no variable "constructor"'],
    ['__proto__ == 1', 'no variable "__proto__"'],
    ['args.constructor()', 'no function "constructor"'],
    ['toString(args)', 'no function "toString"'],
    ["args.x.replace('a', 'b') == 'b'", 'no function "replace"'],
    ['args.l.all(x.y, true)', 'write list.all(x, condition)'],
    ['has(args)', 'has asks for a member'],
    ["contains(args.x, 'a')", 'write x.contains(a)'],
    ["args.x.startsWith('a', 1)", 'write x.startsWith(a)'],
    ['args.x.int() == 1', 'write int(a)'],
    ['size() == 1', 'write size(a) or x.size()'],
    ['args.x != null', '!= null is never true'],
    ['null != args.x', '!= null is never true'],
    ['args.l.all(args, true)', '"args" is taken'],
    ['args.l.all(x, args.l.all(x, true))', '"x" is taken'],
    ['args.l.all(x, x > 0) && x > 0', 'no variable "x"'],
    ["timestamp(time).getHours('Mars/Olympus') == 1", 'no time zone "Mars/Olympus"'],
    ["timestamp(time).getHours('99:99') == 1", 'no time zone'],
    ['timestamp(time).getHours(args.zone) == 1', 'a time zone is a literal'],
    ['9223372036854775808 > args.x', 'at most 64 bits'],
    ['1e999 > args.x', 'a number is finite'],
    ['"\ud800" == args.x', 'well-formed'],
    ['', 'not CEL'],
    ['args.x ==', 'not CEL'],
    ["args.x == 'a", 'not CEL'],
    ['"\\ud800" == args.x', 'not CEL'],
  ])('%s', (expression, says) => {
    expect(refused(expression).says).toContain(says)
  })

  it('is named with its line and column', () => {
    expect(refused('args.x == 1 &&\n  user.name == 2').at).toBe('line 2, column 3')
    expect(refused('args.x == 1 &&\n  args.y === 2').at).toBe('line 2, column 10')
    expect(refused("args.x == 1 || args.y.matches('a')").at).toBe('line 1, column 22')
  })
})

describe('the size of an expression', () => {
  const padded = (bytes: number): string => `'${'x'.repeat(bytes - 8)}' == ''`.padEnd(bytes)

  it('is at most 4 KiB of UTF-8', () => {
    expect(conditions.compile(padded(4096))).toBeTypeOf('function')
    expect(refused(padded(4097)).says).toContain('4096 bytes')
    expect(refused(`'${'é'.repeat(2100)}' == ''`).says).toContain('4096 bytes')
  })

  it('is at most 500 nodes, macros expanded', () => {
    const list = (items: number): string => `1 in [${Array(items).fill('1').join(',')}]`
    expect(conditions.compile(list(497))).toBeTypeOf('function')
    expect(refused(list(498)).says).toContain('500 nodes')
  })

  it.each([
    ['parentheses', '(', 'true', ')'],
    ['lists', '[', '1', ']'],
    ['maps', "{'a':", '1', '}'],
    ['indexes', 'args[', "'a'", ']'],
    ['calls', 'size(', 'args', ')'],
    ['conditionals', 'true ? true : ', 'true', ''],
    ['negations', '!(', 'true', ')'],
  ])('nests at most 64 deep: %s', (_, open, middle, close) => {
    const nested = (depth: number): string => open.repeat(depth) + middle + close.repeat(depth)
    expect(conditions.compile(nested(10))).toBeTypeOf('function')
    for (const depth of [65, 290]) {
      expect(refused(nested(depth)).says).toContain('nests at most 64 deep')
      expect(refused(open.repeat(depth)).says).toContain('nests at most 64 deep')
    }
  })

  it.each([
    ['sums', '1', ' + 1'],
    ['members', 'args', '.a'],
  ])('nests at most 64 deep where no bracket shows it: %s', (_, first, more) => {
    expect(conditions.compile(first + more.repeat(63))).toBeTypeOf('function')
    expect(refused(first + more.repeat(64)).says).toContain('nests at most 64 deep')
  })

  it('does not count what stands in texts and comments, nor conditionals side by side', () => {
    const brackets = '('.repeat(100)
    for (const expression of [
      `args.x == '${brackets}'`,
      `args.x == "'${brackets}"`,
      `args.x == '\\'${brackets}'`,
      `args.x == '''${brackets}'"\n'''`,
      `args.x == r'${brackets}\\' || '?' == args.x`,
      `args.x == 1 // ${brackets}\n`,
      `1 in [${Array(70).fill('true ? 1 : 2').join(',')}]`,
    ]) {
      expect(conditions.compile(expression), expression).toBeTypeOf('function')
    }
  })

  it('counts brackets after a text that only looks unfinished', () => {
    const brackets = '('.repeat(100)
    for (const expression of [
      `'\\\\' == ${brackets}`,
      `r'\\' == ${brackets}`,
      `"'" == ${brackets}`,
      `'''a''' == ${brackets}`,
      `'' == ${brackets}`,
      `1 /* ${brackets}`,
      `'unfinished ${brackets}`,
    ]) {
      expect(refused(expression).says, expression).toContain('nests at most 64 deep')
    }
  })

  it('has loops at most 2 deep; one after another they are not deep', () => {
    const one = 'args.l.all(x, args.l.all(y, x == y))'
    expect(conditions.compile(one)).toBeTypeOf('function')
    expect(conditions.compile(`${one} && args.l.map(a, a).map(b, b).all(c, c == 1)`)).toBeTypeOf(
      'function',
    )
    const three = 'args.l.all(x, args.l.all(y, args.l.all(z, x == z)))'
    expect(refused(three).says).toContain('loops nest at most 2 deep')
    expect(refused('args.l.all(x, args.l.all(y, args.l.filter(z, z) == []))').says).toContain(
      'loops nest at most 2 deep',
    )
  })
})
