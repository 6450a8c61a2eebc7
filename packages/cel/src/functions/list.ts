import type { Meter } from '../fuel.ts'
import {
  celFunc,
  type CelFunc,
  type CelList,
  celList,
  CelScalar,
  type CelValue,
  failure,
  isCelList,
  isCelMap,
  listType,
} from '../library.ts'
import { limits } from '../limits.ts'

const { BOOL, DOUBLE, DYN } = CelScalar
const LIST = listType(DYN)

/** Loops and the lists that expressions make. */
export function listFunctions(meter: Meter): readonly CelFunc[] {
  /** Lists that a loop is making. Nothing but the loop holds one, so it may grow in place. */
  const growing = new WeakMap<CelList, CelValue[]>()
  return [
    // What a loop goes over is copied first, item by item.
    celFunc('@range', [DYN], DYN, (range) => {
      if (!isCelList(range) && !isCelMap(range)) throw failure
      meter.spend(range.size)
      return range
    }),
    // Stands in the condition of a loop: an error there ends it.
    celFunc('@turn', [BOOL, DOUBLE], BOOL, (goOn, nodes) => {
      meter.spend(nodes)
      return goOn
    }),
    celFunc('@list', [], LIST, () => {
      const items: CelValue[] = []
      const list = celList(items)
      growing.set(list, items)
      return list
    }),
    celFunc('@push', [LIST, DYN], LIST, (list, item) => {
      const items = growing.get(list)
      if (items === undefined || items.length === limits.list) throw failure
      items.push(item)
      return list
    }),
    // The library would nest them, and iterate through as many generators.
    celFunc('_+_', [LIST, LIST], LIST, (a, b) => {
      const size = a.size + b.size
      if (size > limits.list) throw failure
      meter.spend(size)
      return celList([...a, ...b])
    }),
  ]
}
