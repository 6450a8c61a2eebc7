import type { Json } from '../bytes/json.ts'
import type { ConditionResult } from '../ports/conditions.ts'
import { compileWithin } from './within.ts'

/** Says whether a value (undefined: missing) passes; undefined is an error. */
export type Test = (actual: Json | undefined) => ConditionResult

type Scalar = null | boolean | number | string

/**
 * The operators of design 3.1. Each makes a test of its operand, or says what the operand must be. In
 * every test a missing value or one of another type than the operand is an error.
 */
export const operators: Readonly<Record<string, (operand: Json) => Test | string>> = {
  eq: (operand) => (isScalar(operand) ? equal(operand) : 'a scalar'),
  ne: (operand) => (isScalar(operand) ? negate(equal(operand)) : 'a scalar'),
  in: (operand) => memberOf(operand) ?? listRule,
  not_in: (operand) => {
    const test = memberOf(operand)
    return test === undefined ? listRule : negate(test)
  },
  lt: (operand) => ordered(operand, (a, b) => a < b),
  lte: (operand) => ordered(operand, (a, b) => a <= b),
  gt: (operand) => ordered(operand, (a, b) => a > b),
  gte: (operand) => ordered(operand, (a, b) => a >= b),
  contains: (operand) => (isScalar(operand) ? contains(operand) : 'a scalar'),
  starts_with: (operand) => onText(operand, (actual, text) => actual.startsWith(text)),
  ends_with: (operand) => onText(operand, (actual, text) => actual.endsWith(text)),
  exists: (operand) =>
    typeof operand === 'boolean' ? (actual) => (actual !== undefined) === operand : 'true or false',
  within: (operand) =>
    (typeof operand === 'string' ? compileWithin(operand) : undefined) ??
    'an absolute POSIX path without . or .. segments',
}

const listRule = 'a list of at least one scalar, all of one type'

function isScalar(value: Json | undefined): value is Scalar {
  return value === null || (typeof value !== 'object' && value !== undefined)
}

function sameType(a: Json | undefined, b: Scalar): boolean {
  return b === null || a === null ? a === b : typeof a === typeof b
}

function equal(operand: Scalar): Test {
  return (actual) => (sameType(actual, operand) ? actual === operand : undefined)
}

function negate(test: Test): Test {
  return (actual) => {
    const result = test(actual)
    return result === undefined ? undefined : !result
  }
}

function memberOf(operand: Json): Test | undefined {
  if (!Array.isArray(operand) || operand.length === 0) return undefined
  const items: readonly Json[] = operand
  const [first] = items
  if (!isScalar(first) || !items.every((item) => sameType(item, first))) return undefined
  const values: ReadonlySet<Json> = new Set(items)
  return (actual) => (sameType(actual, first) ? values.has(actual as Json) : undefined)
}

function ordered(
  operand: Json,
  holds: (a: string | number, b: string | number) => boolean,
): Test | string {
  if (typeof operand !== 'number' && typeof operand !== 'string') return 'a number or a text'
  const type = typeof operand
  return (actual) =>
    typeof actual === type ? holds(actual as string | number, operand) : undefined
}

function onText(operand: Json, holds: (actual: string, operand: string) => boolean): Test | string {
  if (typeof operand !== 'string') return 'a text'
  return (actual) => (typeof actual === 'string' ? holds(actual, operand) : undefined)
}

function contains(operand: Scalar): Test {
  return (actual) => {
    if (typeof actual === 'string') {
      return typeof operand === 'string' ? actual.includes(operand) : undefined
    }
    if (!Array.isArray(actual)) return undefined
    const items: readonly Json[] = actual
    return items.every(isScalar) ? items.includes(operand) : undefined
  }
}
