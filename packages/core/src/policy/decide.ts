import type { DecisionCode } from '../reason.ts'
import type { Verdict } from '../receipt/statement.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
import type { CompiledRule, RuleIndex } from './rule-index.ts'
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
  if (facts === undefined) {
    return decision(
      snapshot,
      'DENY',
      'CONDITION_ERROR',
      [],
      'the argument that names the resource is missing',
    )
  }
  return (
    restrict(snapshot, 'DENY', snapshot.deny, facts) ??
    restrict(snapshot, 'ESCALATE', snapshot.escalate, facts) ??
    permit(snapshot, facts)
  )
}

const matchCodes = {
  DENY: 'DENIED_BY_RULE',
  ESCALATE: 'ESCALATED_BY_RULE',
} as const satisfies Partial<Record<Verdict, DecisionCode>>

function restrict(
  snapshot: EffectivePolicySnapshot,
  verdict: 'DENY' | 'ESCALATE',
  index: RuleIndex,
  facts: Facts,
): Decision | undefined {
  let matched: CompiledRule[] | undefined
  let clean: CompiledRule | undefined
  index(facts, (rule) => {
    const holds = rule.when === undefined || rule.when(facts)
    if (holds === false) return
    if (matched === undefined) matched = [rule]
    else matched.push(rule)
    if (holds === true) clean ??= rule
  })
  if (matched === undefined) return undefined
  return clean === undefined
    ? decision(snapshot, verdict, 'CONDITION_ERROR', matched, 'a condition could not be evaluated')
    : decision(snapshot, verdict, matchCodes[verdict], matched)
}

function permit(snapshot: EffectivePolicySnapshot, facts: Facts): Decision {
  let matched: CompiledRule[] | undefined
  let erred: CompiledRule[] | undefined
  snapshot.allow(facts, (rule) => {
    const holds = rule.when === undefined || rule.when(facts)
    if (holds === true) {
      if (matched === undefined) matched = [rule]
      else matched.push(rule)
    } else if (holds === undefined) {
      if (erred === undefined) erred = [rule]
      else erred.push(rule)
    }
  })
  if (matched !== undefined) return decision(snapshot, 'ALLOW', 'ALLOWED_BY_RULE', matched)
  if (erred !== undefined) {
    return decision(
      snapshot,
      'DENY',
      'CONDITION_ERROR',
      erred,
      'a condition could not be evaluated',
    )
  }
  return decision(snapshot, 'DENY', 'NO_MATCHING_RULE', [], 'no rule matches')
}

function decision(
  { policyEpoch, policyHash }: EffectivePolicySnapshot,
  verdict: Verdict,
  reasonCode: DecisionCode,
  rules: readonly CompiledRule[],
  cause?: string,
): Decision {
  const sorted = rules.length < 2 ? rules : rules.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const ruleIds = sorted.slice(0, maxRuleIds).map((rule) => rule.id)
  const reason =
    sorted.find((rule) => rule.reason !== undefined)?.reason ??
    [cause, ruleIds[0] === undefined ? undefined : `rule ${ruleIds[0]}`]
      .filter((part) => part !== undefined)
      .join(': ')
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
