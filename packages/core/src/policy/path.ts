import type { Json } from '../bytes/json.ts'
import { KernelError } from '../error.ts'
import { type Facts, roots } from './facts.ts'

/** Reads one value of the facts; undefined when it is not there (JSON has no undefined). */
export type Reader = (facts: Facts) => Json | undefined

const index = /^(0|[1-9]\d{0,8})$/

/** Compiles `args.items.0.price`. Throws `COMPILE_FAILED`. */
export function compilePath(path: string, at: string): Reader {
  const [root = '', ...members] = path.split('.')
  const read: Reader | undefined = Object.hasOwn(roots, root) ? roots[root] : undefined
  if (read === undefined) {
    const known = Object.keys(roots).join(', ')
    throw new KernelError('COMPILE_FAILED', `a path begins with one of ${known}, not "${root}"`, {
      at,
    })
  }
  if (members.includes('')) {
    throw new KernelError('COMPILE_FAILED', 'a path has no empty member', { at })
  }
  const [first, ...more] = members
  if (first === undefined) return read
  if (more.length === 0) return (facts) => member(read(facts), first)
  return (facts) => readPath(read(facts), members)
}

/** Follows members: own ones of objects, decimal indexes of arrays, nothing else. */
export function readPath(value: Json | undefined, members: readonly string[]): Json | undefined {
  let at = value
  for (const name of members) at = member(at, name)
  return at
}

// INVARIANT: no prototype and no `length` can be reached.
function member(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) {
    const items: readonly Json[] = value
    return index.test(name) ? items[Number(name)] : undefined
  }
  const object = value as Readonly<Record<string, Json>>
  return Object.hasOwn(object, name) ? object[name] : undefined
}
