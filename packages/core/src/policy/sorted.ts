/** Values that are sorted in one go: a millisecond or two. */
const run = 4096

/** `values.toSorted()`, yielding between slices. */
export function* sortedSliced(values: readonly string[]): Generator<undefined, readonly string[]> {
  let runs: (readonly string[])[] = []
  for (let from = 0; from < values.length; from += run) {
    runs.push(values.slice(from, from + run).sort())
    yield
  }
  while (runs.length > 1) {
    const merged: (readonly string[])[] = []
    for (let i = 0; i < runs.length; i += 2) {
      const [left = [], right = []] = runs.slice(i, i + 2)
      merged.push(right.length === 0 ? left : yield* merge(left, right))
    }
    runs = merged
  }
  return runs[0] ?? []
}

function* merge(
  left: readonly string[],
  right: readonly string[],
): Generator<undefined, readonly string[]> {
  const all: string[] = []
  let l = 0
  let r = 0
  const mergeSome = (to: number): void => {
    while (all.length < to) {
      const a = left[l]
      const b = right[r]
      if (b === undefined || (a !== undefined && a <= b)) {
        all.push(a ?? '')
        l++
      } else {
        all.push(b)
        r++
      }
    }
  }
  const count = left.length + right.length
  while (all.length < count) {
    mergeSome(Math.min(all.length + run, count))
    yield
  }
  return all
}
