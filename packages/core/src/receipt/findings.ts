/** What one check found. `not_applicable`: nothing to check, and `detail` says what was wanting. */
export interface Check {
  readonly name: string
  readonly status: 'pass' | 'fail' | 'not_applicable'
  /** A sentence for people: the first failure and its place, or what was looked at. */
  readonly detail: string
}

export type AuditVerdict = 'PASS' | 'FAIL'

/** Failures by check, as they are met: the first of each is kept, the others are counted. */
export interface Findings {
  fail(name: string, detail: string): void
  /** The check as it stands: failed, or passed with `detail`. */
  check(name: string, detail: string): Check
}

export function createFindings(): Findings {
  const failures = new Map<string, { readonly first: string; count: number }>()
  return {
    fail(name, detail) {
      const known = failures.get(name)
      if (known === undefined) failures.set(name, { first: detail, count: 1 })
      else known.count++
    },
    check(name, detail) {
      const failed = failures.get(name)
      if (failed === undefined) return { name, status: 'pass', detail }
      const more = failed.count === 1 ? '' : ` (and ${failed.count - 1} more)`
      return { name, status: 'fail', detail: `${failed.first}${more}` }
    },
  }
}

/** Nothing failed. INVARIANT: a check that was not applicable is named, and fails nothing. */
export function verdictOf(checks: readonly Check[]): AuditVerdict {
  return checks.some(({ status }) => status === 'fail') ? 'FAIL' : 'PASS'
}
