/** How a function is written, by number of arguments, and what the gate does with it. */
export interface Word {
  /** As in `size(x)`. */
  readonly plain?: readonly number[]
  /** As in `x.size()`; the text before the dot is not counted. */
  readonly method?: readonly number[]
  /** Its argument is read as a scalar, so a long text is an error. */
  readonly reads?: true
  /** Its argument is a time zone: a literal that is known when the policy is compiled. */
  readonly zone?: true
}

const conversion: Word = { plain: [1], reads: true }
const ofText: Word = { method: [1] }
const ofTime: Word = { method: [0, 1], zone: true }

/** Every function there is. */
export const words: Readonly<Record<string, Word>> = Object.freeze({
  size: { plain: [1], method: [0] },
  contains: ofText,
  startsWith: ofText,
  endsWith: ofText,
  bool: conversion,
  double: conversion,
  int: conversion,
  string: { plain: [1] },
  duration: conversion,
  timestamp: conversion,
  getFullYear: ofTime,
  getMonth: ofTime,
  getDate: ofTime,
  getDayOfMonth: ofTime,
  getDayOfWeek: ofTime,
  getDayOfYear: ofTime,
  getHours: ofTime,
  getMinutes: ofTime,
  getSeconds: ofTime,
  getMilliseconds: ofTime,
})

/** Every operator there is, as the parser names it, and the function that it runs on. */
export const operators: Readonly<Record<string, string>> = Object.freeze({
  '_&&_': '_&&_',
  '_||_': '_||_',
  '!_': '!_',
  '_?_:_': '_?_:_',
  '_==_': '@equal',
  '_!=_': '@unequal',
  '@in': '@among',
  '_[_]': '@at',
  '_<_': '_<_',
  '_<=_': '_<=_',
  '_>_': '_>_',
  '_>=_': '_>=_',
  '_+_': '_+_',
  '_-_': '_-_',
  '_*_': '_*_',
  '_/_': '_/_',
  '_%_': '_%_',
  '-_': '-_',
  // Only the macros make this one.
  '@not_strictly_false': '@not_strictly_false',
})

/** What to write instead of what CEL has and the gate has not. */
export const instead: Readonly<Record<string, string>> = Object.freeze({
  matches: 'regular expressions are refused: use startsWith, endsWith, contains, == or in',
  type: 'types are refused: a comparison of two types is an error anyway',
  dyn: 'every value is dynamic: leave dyn out',
  bytes: 'there are no bytes in JSON: compare texts',
  uint: 'there are no unsigned integers in JSON: use int',
  has: 'has asks for a member, as in has(args.name)',
  all: 'write list.all(x, condition)',
  exists: 'write list.exists(x, condition)',
  exists_one: 'write list.exists_one(x, condition)',
  existsOne: 'write list.existsOne(x, condition)',
  map: 'write list.map(x, value)',
  filter: 'write list.filter(x, condition)',
})

/** What a table has of its own: a name of a policy never reaches a prototype. */
export function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** How a function is written, as `size(x) or x.size()`. */
export function usage(name: string, { plain = [], method = [] }: Word): string {
  const list = (count: number): string => ['a', 'b', 'c'].slice(0, count).join(', ')
  const forms = [
    ...plain.map((count) => `${name}(${list(count)})`),
    ...method.map((count) => `x.${name}(${list(count)})`),
  ]
  return forms.join(' or ')
}
