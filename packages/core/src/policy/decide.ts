import type { DecisionCode } from '../reason.ts'
import type { Verdict } from '../receipt/statement.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
import { type CompiledRule, findRules } from './rule-index.ts'
import type { EffectivePolicySnapshot } from './snapshot.ts'

/** Rule ids that a receipt names; the count says how many there were. */
const maxRuleIds = 64

/**
 * What the policy says of a request: the strongest effect among all matching rules, DENY over ESCALATE
 * over ALLOW; nothing matching is DENY. The order of rules has no meaning. An error in a condition
 * never makes the verdict more permissive: it counts as a match of DENY and ESCALATE rules, and as no
 * match of ALLOW rules. Facts undefined: the resource could not be read (see `factsOf`).
 */
export function decide(snapshot: EffectivePolicySnapshot, facts: Facts | undefined): Decision {
  if (facts === undefined) return decision(snapshot, 'DENY', 'CONDITION_ERROR', [])
  const found = findRules(snapshot.rules, facts)
  if (found.length === 0) return snapshot.unmatched
  return (
    judge(snapshot, 'DENY', found, facts) ??
    judge(snapshot, 'ESCALATE', found, facts) ??
    judge(snapshot, 'ALLOW', found, facts) ??
    snapshot.unmatched
  )
}

const matchCodes = {
  ALLOW: 'ALLOWED_BY_RULE',
  DENY: 'DENIED_BY_RULE',
  ESCALATE: 'ESCALATED_BY_RULE',
} as const satisfies Readonly<Record<Verdict, DecisionCode>>

/** What the rules of one effect say; undefined when none of them matches. */
function judge(
  snapshot: EffectivePolicySnapshot,
  effect: Verdict,
  found: readonly CompiledRule[],
  facts: Facts,
): Decision | undefined {
  let first: CompiledRule | undefined
  let holding: CompiledRule[] | undefined
  let erring: CompiledRule[] | undefined
  for (const rule of found) {
    if (rule.effect !== effect) continue
    const holds = rule.when === undefined || rule.when(facts)
    if (holds === undefined) (erring ??= []).push(rule)
    else if (!holds) continue
    else if (first === undefined) first = rule
    else (holding ??= [first]).push(rule)
  }
  if (first === undefined) {
    if (erring === undefined) return undefined
    // INVARIANT: an error never makes the verdict more permissive.
    return decision(snapshot, effect === 'ALLOW' ? 'DENY' : effect, 'CONDITION_ERROR', erring)
  }
  const also = effect === 'ALLOW' ? undefined : erring
  if (holding === undefined && also === undefined) {
    return (first.decision ??= decision(snapshot, effect, matchCodes[effect], [first]))
  }
  const matched = [...(holding ?? [first]), ...(also ?? [])]
  return decision(snapshot, effect, matchCodes[effect], matched)
}

function decision(
  { policyEpoch, policyHash }: EffectivePolicySnapshot,
  verdict: Verdict,
  reasonCode: DecisionCode,
  rules: readonly CompiledRule[],
): Decision {
  const sorted = rules.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const ruleIds = sorted.slice(0, maxRuleIds).map((rule) => rule.id)
  const reason =
    sorted.find((rule) => rule.reason !== undefined)?.reason ??
    (reasonCode === 'CONDITION_ERROR'
      ? 'a condition could not be evaluated, or the resource could not be read'
      : `rule ${ruleIds[0] ?? ''} matches`)
  return Object.freeze({
    verdict,
    reasonCode,
    reason,
    ruleIds: Object.freeze(ruleIds),
    ruleCount: rules.length,
    policyEpoch,
    policyHash,
  })
}
