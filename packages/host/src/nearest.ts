/** The name that was probably meant: one that differs little; undefined when none does. */
export function nearest(given: string, names: Iterable<string>): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const name of names) {
    const distance = editDistance(given, name)
    if (distance < (best?.distance ?? 1 + Math.max(1, Math.floor(given.length / 3)))) {
      best = { name, distance }
    }
  }
  return best?.name
}

/** Characters to add, drop or change; two neighbours that changed places are one change. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, k) => k)]
  const at = (i: number, k: number): number => rows[i]?.[k] ?? i + k
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let k = 1; k <= b.length; k++) {
      const change = at(i - 1, k - 1) + (a[i - 1] === b[k - 1] ? 0 : 1)
      const swapped = i > 1 && k > 1 && a[i - 1] === b[k - 2] && a[i - 2] === b[k - 1]
      const swap = swapped ? at(i - 2, k - 2) + 1 : Infinity
      row.push(Math.min(change, swap, at(i - 1, k) + 1, at(i, k - 1) + 1))
    }
  }
  return at(a.length, b.length)
}
