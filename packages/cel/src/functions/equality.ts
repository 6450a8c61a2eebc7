import { type Meter, stepsOf } from '../fuel.ts'
import {
  celFunc,
  type CelFunc,
  type CelList,
  type CelMap,
  CelScalar,
  type CelValue,
  failure,
  isCelList,
  isCelMap,
} from '../library.ts'
import { sameMoment } from './time.ts'

const { BOOL, DYN } = CelScalar

/**
 * `==`, `!=` and `in` as the operators eq, ne and in of the core: both sides are of one type, or it is
 * an error. Ints and doubles are one type, null is a type of its own. Lists and maps are compared in
 * strong Kleene logic: unequal if any part is, else an error if any part errs.
 */
export function equalityFunctions(meter: Meter): readonly CelFunc[] {
  return [
    celFunc('@equal', [DYN, DYN], BOOL, (a, b) => known(equal(a, b))),
    celFunc('@unequal', [DYN, DYN], BOOL, (a, b) => !known(equal(a, b))),
    celFunc('@among', [DYN, DYN], BOOL, (value, container) => {
      if (isCelList(container)) return known(among(value, container))
      if (!isCelMap(container) || typeof value !== 'string') throw failure
      return container.get(value) !== undefined
    }),
  ]

  function equal(a: CelValue, b: CelValue): boolean | undefined {
    meter.spend(1)
    if (typeof a === 'string') {
      if (typeof b !== 'string') return undefined
      meter.spend(stepsOf(Math.min(a.length, b.length)))
      return a === b
    }
    if (typeof a === 'number' || typeof a === 'bigint') {
      return typeof b === 'number' || typeof b === 'bigint' ? sameNumber(a, b) : undefined
    }
    if (typeof a === 'boolean') return typeof b === 'boolean' ? a === b : undefined
    if (a === null) return b === null ? true : undefined
    if (isCelList(a)) return isCelList(b) ? equalLists(a, b) : undefined
    if (isCelMap(a)) return isCelMap(b) ? equalMaps(a, b) : undefined
    return sameMoment(a, b)
  }

  function equalLists(a: CelList, b: CelList): boolean | undefined {
    if (a.size !== b.size) return false
    let result: boolean | undefined = true
    for (let i = 0; i < a.size; i++) {
      const same = equal(a.get(i) ?? null, b.get(i) ?? null)
      if (same === false) return false
      if (same === undefined) result = undefined
    }
    return result
  }

  function equalMaps(a: CelMap, b: CelMap): boolean | undefined {
    if (a.size !== b.size) return false
    let result: boolean | undefined = true
    for (const [key, value] of a) {
      const other = b.get(key)
      const same = other === undefined ? false : equal(value, other)
      if (same === false) return false
      if (same === undefined) result = undefined
    }
    return result
  }

  /** As `value == a || value == b || …`. */
  function among(value: CelValue, list: CelList): boolean | undefined {
    let result: boolean | undefined = false
    for (const item of list) {
      const same = equal(value, item)
      if (same === true) return true
      if (same === undefined) result = undefined
    }
    return result
  }
}

function known(result: boolean | undefined): boolean {
  if (result === undefined) throw failure
  return result
}

function sameNumber(a: number | bigint, b: number | bigint): boolean {
  if (typeof a === typeof b) return a === b
  const [double, int] = typeof a === 'number' ? [a, b] : [b, a]
  return Number.isInteger(double) && BigInt(double) === int
}
