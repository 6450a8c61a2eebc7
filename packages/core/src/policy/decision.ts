import type { Digest } from '../bytes/digest.ts'
import type { DecisionCode } from '../reason.ts'
import type { Verdict } from '../receipt/statement.ts'

/** What the kernel says of a request. Frozen. */
export interface Decision {
  readonly verdict: Verdict
  readonly reasonCode: DecisionCode
  /** A sentence for people. */
  readonly reason: string
  /** Matching rules of the winning effect, sorted, at most 64. */
  readonly ruleIds: readonly string[]
  /** How many matched. */
  readonly ruleCount: number
  /** Null exactly when there is no policy. */
  readonly policyEpoch: number | null
  readonly policyHash: Digest | null
}

/** A DENY for a cause other than a rule. */
export function deny(
  reasonCode: DecisionCode,
  reason: string,
  policy?: { readonly policyEpoch: number; readonly policyHash: Digest },
): Decision {
  return Object.freeze({
    verdict: 'DENY',
    reasonCode,
    reason,
    ruleIds: [],
    ruleCount: 0,
    policyEpoch: policy?.policyEpoch ?? null,
    policyHash: policy?.policyHash ?? null,
  })
}
