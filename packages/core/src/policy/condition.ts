import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { KernelError } from '../error.ts'
import type { ConditionResult, Conditions } from '../ports/conditions.ts'
import type { Facts } from './facts.ts'
import { operators } from './operator.ts'
import { compilePath, type Reader } from './path.ts'

/** A compiled `when`: true, false, or undefined for an error. */
export type Condition = (facts: Facts) => ConditionResult

/** Compiles the conditions of one bundle; equal ones become one closure. */
export type ConditionCompiler = (when: Json, at: string) => Condition

interface Form {
  /** The member by which the form is known. */
  readonly name: string
  readonly members: readonly string[]
  readonly make: (when: JsonObject, at: string) => Condition
}

/** Throws, from the compiler it returns, `BUNDLE_MALFORMED` (form) or `COMPILE_FAILED` (meaning). */
export function conditionCompiler(conditions: Conditions | undefined): ConditionCompiler {
  const readers = new Map<string, Reader>()
  const comparisons = new Map<string, Condition>()
  const expressions = new Map<string, Condition>()
  const forms: readonly Form[] = [
    { name: 'path', members: ['path', 'op', 'value'], make: comparison },
    { name: 'all', members: ['all'], make: (when, at) => all(parts(when['all'], `${at}.all`)) },
    { name: 'any', members: ['any'], make: (when, at) => any(parts(when['any'], `${at}.any`)) },
    {
      name: 'not',
      members: ['not'],
      make: (when, at) => not(compile(when['not'] ?? null, `${at}.not`)),
    },
    { name: 'cel', members: ['cel'], make: cel },
  ]
  return compile

  function compile(when: Json, at: string): Condition {
    if (!isObject(when)) malformed('a condition is an object', at)
    for (const { name, members, make } of forms) {
      if (!Object.hasOwn(when, name)) continue
      for (const member in when) {
        if (!members.includes(member)) malformed(`no such member beside ${name}`, `${at}.${member}`)
      }
      return make(when, at)
    }
    return malformed('a condition has all, any, not, path or cel', at)
  }

  function comparison(when: JsonObject, at: string): Condition {
    const { path, op, value } = when
    if (typeof path !== 'string') malformed('path is a text', `${at}.path`)
    if (typeof op !== 'string') malformed('a comparison needs op', `${at}.op`)
    if (value === undefined) malformed('a comparison needs value', `${at}.value`)
    // NUL cannot stand in what comes before it without an escape, so two comparisons never share a key.
    const key = `${op}\0${path}\0${typeof value === 'number' ? value : JSON.stringify(value)}`
    const known = comparisons.get(key)
    if (known !== undefined) return known
    const operator = Object.hasOwn(operators, op) ? operators[op] : undefined
    if (operator === undefined) {
      failed(`no operator "${op}": there are ${Object.keys(operators).join(' ')}`, `${at}.op`)
    }
    const test = operator(value)
    if (typeof test === 'string') failed(`the operand of ${op} is ${test}`, `${at}.value`)
    let read = readers.get(path)
    if (read === undefined) readers.set(path, (read = compilePath(path, `${at}.path`)))
    const reader = read
    const condition: Condition = (facts) => test(reader(facts))
    comparisons.set(key, condition)
    return condition
  }

  function parts(list: Json | undefined, at: string): readonly Condition[] {
    if (!Array.isArray(list)) malformed('a list of conditions', at)
    if (list.length === 0) failed('an empty list says nothing', at)
    return (list as readonly Json[]).map((part, i) => compile(part, `${at}[${i}]`))
  }

  function cel(when: JsonObject, at: string): Condition {
    const expression = when['cel']
    if (typeof expression !== 'string') malformed('cel is a text', `${at}.cel`)
    if (conditions === undefined) {
      failed('this kernel has no CEL: give createKernel a Conditions, or use path, op, value', at)
    }
    const known = expressions.get(expression)
    if (known !== undefined) return known
    try {
      const condition = conditions.compile(expression)
      expressions.set(expression, condition)
      return condition
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new KernelError('COMPILE_FAILED', message, { at: `${at}.cel`, cause })
    }
  }
}

// Strong Kleene logic (design 3.1): the order of the parts never changes the result.

function all(parts: readonly Condition[]): Condition {
  return (facts) => {
    let result: ConditionResult = true
    for (const part of parts) {
      const holds = part(facts)
      if (holds === false) return false
      if (holds === undefined) result = undefined
    }
    return result
  }
}

function any(parts: readonly Condition[]): Condition {
  return (facts) => {
    let result: ConditionResult = false
    for (const part of parts) {
      const holds = part(facts)
      if (holds === true) return true
      if (holds === undefined) result = undefined
    }
    return result
  }
}

function not(part: Condition): Condition {
  return (facts) => {
    const holds = part(facts)
    return holds === undefined ? undefined : !holds
  }
}

function malformed(message: string, at: string): never {
  throw new KernelError('BUNDLE_MALFORMED', message, { at })
}

function failed(message: string, at: string): never {
  throw new KernelError('COMPILE_FAILED', message, { at })
}
