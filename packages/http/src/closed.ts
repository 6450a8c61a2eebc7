import {
  type ErrorCode,
  isObject,
  type Json,
  type JsonObject,
  KernelError,
} from '@helm-ai-kernel/core'

/** An object whose every member is known by name, read member by member into narrower types. */
export interface ClosedObject {
  /** Undefined when absent; `null` is a wrong type, not an absence. */
  text(name: string): string | undefined
  number(name: string): number | undefined
  flag(name: string): boolean | undefined
  object(name: string): JsonObject | undefined
  list(name: string): readonly Json[] | undefined
}

/** What is read, for the message: the code of the error, a noun, and its place in the document. */
export interface ClosedInput {
  readonly code: ErrorCode
  readonly what: string
  readonly at?: string
}

/** Throws `code`, naming the first member that is unknown or of the wrong type. */
export function closedObject(
  value: Json,
  names: ReadonlySet<string>,
  { code, what, at }: ClosedInput,
): ClosedObject {
  const place = (name: string): string => (at === undefined ? name : `${at}.${name}`)
  if (!isObject(value)) {
    throw new KernelError(code, `${what} must be an object`, at === undefined ? {} : { at })
  }
  for (const name of Object.keys(value)) {
    if (names.has(name)) continue
    throw new KernelError(
      code,
      `${what} has no such member: remove it, the members are ${[...names].join(', ')}`,
      { at: place(name) },
    )
  }
  const read = <T extends Json>(
    name: string,
    expected: string,
    is: (member: Json) => member is T,
  ): T | undefined => {
    const member = Object.hasOwn(value, name) ? value[name] : undefined
    if (member === undefined || is(member)) return member
    throw new KernelError(code, `must be ${expected}`, { at: place(name) })
  }
  return {
    text: (name) => read(name, 'a string', isString),
    number: (name) => read(name, 'a number', isNumber),
    flag: (name) => read(name, 'true or false', isFlag),
    object: (name) => read(name, 'an object', isObject),
    list: (name) => read(name, 'a list', isList),
  }
}

function isString(value: Json): value is string {
  return typeof value === 'string'
}

function isNumber(value: Json): value is number {
  return typeof value === 'number'
}

function isFlag(value: Json): value is boolean {
  return typeof value === 'boolean'
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
