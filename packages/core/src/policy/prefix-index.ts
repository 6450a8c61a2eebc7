import { sortedSliced } from './sorted.ts'

/**
 * Finds the prefixes of a value among many. The prefixes that a value has form a chain, each
 * beginning with the one before, and the greatest entry that is not after the value ends it or lies
 * below its end: so a sorted list with a parent each is the whole trie.
 */
export interface PrefixIndex<T> {
  /** Calls `visit` for each entry whose prefix `value` has. */
  visit(value: string, visit: (entry: T) => void): void
}

/** Entries between two yields: about a millisecond. */
const slice = 4096

export function* prefixIndexSliced<T>(
  entries: ReadonlyMap<string, T>,
): Generator<undefined, PrefixIndex<T>> {
  const prefixes = yield* sortedSliced([...entries.keys()])
  const found: T[] = []
  const parents = new Int32Array(prefixes.length)
  const open: number[] = []
  const addSome = (to: number): void => {
    for (let i = found.length; i < to; i++) {
      const prefix = prefixes[i] ?? ''
      while (open.length > 0 && !prefix.startsWith(prefixes[open.at(-1) ?? 0] ?? '')) open.pop()
      parents[i] = open.at(-1) ?? -1
      open.push(i)
      found.push(entries.get(prefix) as T)
    }
  }
  while (found.length < prefixes.length) {
    addSome(Math.min(found.length + slice, prefixes.length))
    yield
  }
  return {
    visit(value, visit) {
      let low = 0
      let high = prefixes.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((prefixes[middle] ?? '') <= value) low = middle + 1
        else high = middle
      }
      for (let i = low - 1; i >= 0; i = parents[i] ?? -1) {
        if (value.startsWith(prefixes[i] ?? '')) visit(found[i] as T)
      }
    },
  }
}
