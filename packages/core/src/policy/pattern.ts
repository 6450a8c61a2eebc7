/**
 * The patterns of one rule for one thing, with those dropped that another one covers. INVARIANT: a
 * value matches at most one of what is left, so an index meets each rule at most once.
 */
export interface Patterns {
  readonly any: boolean
  readonly exact: readonly string[]
  /** Without their `*`; none begins with another. */
  readonly prefixes: readonly string[]
}

const anything: Patterns = Object.freeze({ any: true, exact: [], prefixes: [] })

/**
 * Absent patterns match anything. `guarded`: a prefix will not count for a value with a step up, so an
 * exact pattern that is one is never covered.
 */
export function patternsOf(patterns: readonly string[] | undefined, guarded: boolean): Patterns {
  if (patterns === undefined || patterns.includes('*')) return anything
  const [only = ''] = patterns
  if (patterns.length === 1) {
    return only.endsWith('*')
      ? { any: false, exact: [], prefixes: [only.slice(0, -1)] }
      : { any: false, exact: [only], prefixes: [] }
  }
  const prefixes: string[] = []
  for (const prefix of patterns
    .filter((p) => p.endsWith('*'))
    .map((p) => p.slice(0, -1))
    .sort()) {
    // Sorted, a prefix comes right before all that it covers.
    const last = prefixes.at(-1)
    if (last === undefined || !prefix.startsWith(last)) prefixes.push(prefix)
  }
  const exact = new Set(patterns.filter((p) => !p.endsWith('*')))
  const bare = [...exact].filter(
    (value) =>
      (guarded && hasStepUp(value)) || !prefixes.some((prefix) => value.startsWith(prefix)),
  )
  return { any: false, exact: bare, prefixes }
}

/** Whether `value` matches; a prefix counts only when `prefixesCount`. */
export function matchesPattern(patterns: Patterns, value: string, prefixesCount: boolean): boolean {
  return (
    patterns.any ||
    patterns.exact.includes(value) ||
    (prefixesCount && patterns.prefixes.some((prefix) => value.startsWith(prefix)))
  )
}

// Also as a URL, a Windows path or after a scheme, percent-encoded or not: whoever resolves the
// resource later may take any of them for a step up.
const stepUp = /(^|[/\\:]|%2f|%5c|%3a)(\.|%2e){2}($|[/\\?#;]|%2f|%5c|%3f|%23|%3b)/i

/** Whether a resource has a `..` segment, so that no ALLOW by prefix may match it. */
export function hasStepUp(resource: string): boolean {
  return (resource.includes('..') || resource.includes('%')) && stepUp.test(resource)
}
