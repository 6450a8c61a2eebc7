import { KernelError } from '../error.ts'
import { type Json, maxDepth } from './json.ts'

/**
 * A frozen copy of what an embedder handed in, as `Json`. Nothing is guessed: what JSON cannot say
 * (undefined, NaN, a Date, a Map, an instance of a class, a getter, a hole in an array, a lone
 * surrogate) and more than 64 levels throw `REQUEST_MALFORMED` with the path, as in
 * `args.items[2].when` where `what` is `args`.
 */
export function toJson(value: unknown, what: string): Json {
  return copy(value, { what, path: [] })
}

interface Place {
  readonly what: string
  readonly path: (string | number)[]
}

const loneSurrogate = /\p{Surrogate}/u

function copy(value: unknown, place: Place): Json {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') {
    if (loneSurrogate.test(value)) throw refuse(place, 'a lone surrogate')
    return value
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(place, String(value))
    return value
  }
  if (typeof value !== 'object') throw refuse(place, typeof value)
  if (place.path.length === maxDepth)
    throw refuse(place, `more than ${maxDepth} levels, or a cycle`)
  return Object.freeze(Array.isArray(value) ? copyArray(value, place) : copyObject(value, place))
}

function copyArray(value: readonly unknown[], place: Place): Json[] {
  // Each element is a key, and so is `length`.
  const whole = Reflect.ownKeys(value).length === value.length + 1
  if (!whole) throw refuse(place, 'an array with holes or other members')
  if (!isPlain(value, 2)) throw refuse(place, 'an instance of a class')
  const items: Json[] = []
  for (let i = 0; i < value.length; i++) items.push(copyMember(value, i, place))
  return items
}

function copyObject(value: object, place: Place): Record<string, Json> {
  if (!isPlain(value, 1)) throw refuse(place, 'an instance of a class')
  const members: Record<string, Json> = {}
  if (Object.getOwnPropertySymbols(value).length > 0) throw refuse(place, 'a symbol as a name')
  // In order, so that its canonical form comes cheap.
  for (const name of Object.getOwnPropertyNames(value).sort()) {
    if (loneSurrogate.test(name)) throw refuse(place, 'a name with a lone surrogate')
    const member = copyMember(value, name, place)
    // By assignment this one name would set the prototype and be lost.
    if (name !== '__proto__') members[name] = member
    else Object.defineProperty(members, name, { value: member, enumerable: true })
  }
  return members
}

function copyMember(owner: object, key: string | number, place: Place): Json {
  place.path.push(key)
  const property = Object.getOwnPropertyDescriptor(owner, key)
  const plain = property?.enumerable === true && 'value' in property
  if (!plain) throw refuse(place, 'a getter or a hidden member')
  const json = copy(property.value, place)
  place.path.pop()
  return json
}

/** Whether at most so many prototypes stand behind `value`, in whichever realm it was made. */
function isPlain(value: object, prototypes: number): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || (prototypes > 0 && isPlain(prototype, prototypes - 1))
}

function refuse({ what, path }: Place, found: string): KernelError {
  return new KernelError(
    'REQUEST_MALFORMED',
    `found ${found}: give null, booleans, finite numbers, strings, arrays and plain objects`,
    { at: path.reduce<string>((place, key) => place + step(key), what) },
  )
}

function step(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}
