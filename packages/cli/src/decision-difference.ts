import { canonical } from '@helm-ai-kernel/core'
import type { PolicyBundle, SelfTest } from '@helm-ai-kernel/core/bundle'
import {
  type Decision,
  type EffectivePolicySnapshot,
  runSelfTests,
} from '@helm-ai-kernel/core/policy'

/** What a policy says of a test's request. */
export interface Said {
  readonly verdict: Decision['verdict']
  readonly reason_code: Decision['reasonCode']
  readonly rule_ids: readonly string[]
}

/** A recorded test of which two policies say something else. */
export interface DecisionChange {
  readonly test: string
  /** Whose test it is. */
  readonly of: 'old' | 'new' | 'both'
  /** Null when the request cannot be asked. */
  readonly before: Said | null
  readonly after: Said | null
}

/** One of two policies, with what decides for it. */
export interface Side {
  readonly bundle: PolicyBundle
  readonly snapshot: EffectivePolicySnapshot
}

/** The tests of both, decided by both, of which the decisions differ; sorted by name. */
export function compareDecisions(
  before: Side,
  after: Side,
  now: number,
): readonly DecisionChange[] {
  const asked = new Map<string, { readonly test: SelfTest; of: DecisionChange['of'] }>()
  for (const [of, { bundle }] of [
    ['old', before],
    ['new', after],
  ] as const) {
    for (const test of bundle.tests) {
      const key = canonical([test.name, test.request])
      const known = asked.get(key)
      if (known === undefined) asked.set(key, { test, of })
      else if (known.of !== of) known.of = 'both'
    }
  }
  const sorted = [...asked].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry)
  const tests = sorted.map(({ test }) => test)
  const said = ({ snapshot }: Side) =>
    runSelfTests({ tests }, snapshot, now).map(({ decision }) => saidBy(decision))
  const [old, fresh] = [said(before), said(after)]
  return sorted
    .map(({ test, of }, i) => ({
      test: test.name,
      of,
      before: old[i] ?? null,
      after: fresh[i] ?? null,
    }))
    .filter((change) => !sameSaid(change.before, change.after))
}

function saidBy(decision: Decision | undefined): Said | null {
  if (decision === undefined) return null
  const { verdict, reasonCode, ruleIds } = decision
  return { verdict, reason_code: reasonCode, rule_ids: ruleIds }
}

function sameSaid(a: Said | null, b: Said | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
