import { isObject, type Json, type JsonObject } from '@helm-ai-kernel/core'
import { celList, type CelMap, celMap, type CelValue, failure } from './library.ts'
import { limits } from './limits.ts'

/**
 * A JSON value as CEL sees it. Nothing is handed to the library as a plain object: it would take one
 * with a `$typeName` for a message. Throws on a list that is too long.
 */
export function celOf(value: Json): CelValue {
  if (value === null || typeof value !== 'object') return value
  if (isObject(value)) return celMapOf(value)
  if (value.length > limits.list) throw failure
  return celList(value.map(celOf))
}

export function celMapOf(object: JsonObject): CelMap {
  return celMap(new Members(object))
}

/**
 * The own members of an object, each converted when it is asked for: a large request costs what a
 * condition reads of it. INVARIANT: whatever the names are, no prototype is read or written.
 */
class Members implements ReadonlyMap<string, CelValue> {
  readonly #object: JsonObject
  readonly #converted = new Map<string, CelValue>()
  #names: readonly string[] | undefined

  constructor(object: JsonObject) {
    this.#object = object
  }

  get size(): number {
    return this.#keys().length
  }

  get(name: unknown): CelValue | undefined {
    if (typeof name !== 'string') return undefined
    const known = this.#converted.get(name)
    if (known !== undefined) return known
    const member = Object.hasOwn(this.#object, name) ? this.#object[name] : undefined
    if (member === undefined) return undefined
    const value = celOf(member)
    this.#converted.set(name, value)
    return value
  }

  has(name: unknown): boolean {
    return this.get(name) !== undefined
  }

  keys(): MapIterator<string> {
    return this.#keys().values()
  }

  *values(): Generator<CelValue, undefined> {
    for (const [, value] of this) yield value
  }

  *entries(): Generator<[string, CelValue], undefined> {
    for (const name of this.#keys()) yield [name, this.get(name) ?? null]
  }

  [Symbol.iterator](): MapIterator<[string, CelValue]> {
    return this.entries()
  }

  forEach(each: (value: CelValue, name: string, map: this) => void): void {
    for (const [name, value] of this) each(value, name, this)
  }

  #keys(): readonly string[] {
    return (this.#names ??= Object.keys(this.#object))
  }
}
