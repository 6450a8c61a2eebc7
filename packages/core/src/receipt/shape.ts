import { isObject, type Json, type JsonObject } from '../bytes/json.ts'

export type Check = (value: Json) => boolean
export type Members = Readonly<Record<string, Check>>

/** The members of one closed object, put together once: each entry of a ledger is read against one. */
export interface Shape {
  readonly checks: ReadonlyMap<string, { readonly check: Check; readonly isRequired: boolean }>
  readonly requiredCount: number
}

export function shapeOf(required: Members, optional: Members = {}): Shape {
  const checksOf = (members: Members, isRequired: boolean) =>
    Object.entries(members).map(([name, check]) => [name, { check, isRequired }] as const)
  return {
    // A member in both is required.
    checks: new Map([
      ...checksOf(required, true),
      ...checksOf(optional, false).filter(([name]) => !Object.hasOwn(required, name)),
    ]),
    requiredCount: Object.keys(required).length,
  }
}

/** An object within another. */
export function object(required: Members, optional?: Members): Check {
  const shape = shapeOf(required, optional)
  return (value) => isObject(value) && fits(value, shape)
}

/** Whether every member is known and right, and none is missing. */
export function fits(value: JsonObject, { checks, requiredCount }: Shape): boolean {
  let found = 0
  for (const name of Object.keys(value)) {
    const member = value[name]
    const known = checks.get(name)
    if (member === undefined || known?.check(member) !== true) return false
    if (known.isRequired) found++
  }
  return found === requiredCount
}

/** The first member that is missing, wrong or unknown; asked only where one is. */
export function violation(value: JsonObject, { checks }: Shape): string {
  for (const [name, { check, isRequired }] of checks) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined
    if (member === undefined ? isRequired : !check(member)) return name
  }
  return Object.keys(value).find((name) => !checks.has(name)) ?? ''
}
