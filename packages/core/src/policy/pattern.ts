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

const none: readonly string[] = Object.freeze([])
const anything: Patterns = Object.freeze({ any: true, exact: none, prefixes: none })

/**
 * Absent patterns match anything. `guarded`: a prefix will not count for a value with a step up, so an
 * exact pattern that is one is never covered.
 */
export function patternsOf(patterns: readonly string[] | undefined, guarded: boolean): Patterns {
  if (patterns === undefined || patterns.includes('*')) return anything
  if (patterns.length === 1 && patterns[0]?.endsWith('*') === false) {
    return { any: false, exact: patterns, prefixes: none }
  }
  const exact: string[] = []
  const prefixes: string[] = []
  for (const pattern of patterns) {
    if (pattern.endsWith('*')) prefixes.push(pattern.slice(0, -1))
    else exact.push(pattern)
  }
  const shortest = prefixes.length < 2 ? prefixes : shortestOf(prefixes)
  return {
    any: false,
    exact: exact.length === 0 ? none : bareOf(exact, shortest, guarded),
    prefixes: shortest.length === 0 ? none : shortest,
  }
}

/** The prefixes that begin with no other. */
function shortestOf(prefixes: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (const prefix of prefixes.toSorted()) {
    // Sorted, a prefix comes right before all that it covers.
    const last = kept.at(-1)
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
  }
  return kept
}

/** The values that no prefix covers, each once. */
function bareOf(
  values: readonly string[],
  prefixes: readonly string[],
  guarded: boolean,
): readonly string[] {
  const once = values.length === 1 ? values : [...new Set(values)]
  return once.some((value) => isCovered(value, prefixes, guarded))
    ? once.filter((value) => !isCovered(value, prefixes, guarded))
    : once
}

function isCovered(value: string, prefixes: readonly string[], guarded: boolean): boolean {
  for (const prefix of prefixes) {
    if (value.startsWith(prefix)) return !(guarded && hasStepUp(value))
  }
  return false
}

/** Whether `value` matches; when guarded, no prefix matches a value with a step up. */
export function matchesPattern(patterns: Patterns, value: string, guarded: boolean): boolean {
  if (patterns.any) return true
  for (const exact of patterns.exact) if (exact === value) return true
  return isCovered(value, patterns.prefixes, guarded)
}

/** The pattern that `value` matches, as an author writes it; `*` for any. The value does match. */
export function patternOf(patterns: Patterns, value: string): string {
  if (patterns.any) return '*'
  if (patterns.exact.includes(value)) return value
  return `${patterns.prefixes.find((prefix) => value.startsWith(prefix)) ?? ''}*`
}

// Also as a URL, a Windows path or after a scheme, percent-encoded or not: whoever resolves the
// resource later may take any of them for a step up.
const stepUp = /(^|[/\\:]|%2f|%5c|%3a)(\.|%2e){2}($|[/\\?#;]|%2f|%5c|%3f|%23|%3b)/i

/** Whether a resource has a `..` segment, so that no ALLOW by prefix may match it. */
export function hasStepUp(resource: string): boolean {
  return (resource.includes('..') || resource.includes('%')) && stepUp.test(resource)
}
