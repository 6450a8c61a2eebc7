import {
  celFunc,
  type CelFunc,
  CelScalar,
  type CelValue,
  failure,
  isCelList,
  isCelMap,
} from '../library.ts'
import { limits } from '../limits.ts'

const { BOOL, DYN } = CelScalar

/** What reaches into values: members of maps by name, items of lists by number, and nothing else. */
export const memberFunctions: readonly CelFunc[] = [
  celFunc('@at', [DYN, DYN], DYN, (value, key) => {
    const found = itemOf(value, key)
    if (found === undefined) throw failure
    return found
  }),
  // A member that is null is there, as for the operator exists of the core.
  celFunc('@has', [DYN, DYN], BOOL, (value, name) => {
    if (!isCelMap(value)) throw failure
    return itemOf(value, name) !== undefined
  }),
  celFunc('@scalar', [DYN], DYN, (value) => {
    if (typeof value === 'string' && value.length > limits.scalar) throw failure
    return value
  }),
]

function itemOf(value: CelValue, key: CelValue): CelValue | undefined {
  if (isCelMap(value)) return typeof key === 'string' ? value.get(key) : undefined
  if (!isCelList(value)) return undefined
  if (typeof key !== 'bigint' && !Number.isInteger(key)) return undefined
  return value.get(Number(key))
}
