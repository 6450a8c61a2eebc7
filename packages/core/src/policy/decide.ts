import type { DecisionCode } from '../reason.ts'
import type { Verdict } from '../receipt/statement.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
import { type CompiledRule, findRules, type RuleIndex } from './rule-index.ts'
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
  return (
    restrict(snapshot, 'DENY', snapshot.deny, facts) ??
    restrict(snapshot, 'ESCALATE', snapshot.escalate, facts) ??
    permit(snapshot, facts)
  )
}

const matchCodes = {
  ALLOW: 'ALLOWED_BY_RULE',
  DENY: 'DENIED_BY_RULE',
  ESCALATE: 'ESCALATED_BY_RULE',
} as const satisfies Readonly<Record<Verdict, DecisionCode>>

function restrict(
  snapshot: EffectivePolicySnapshot,
  verdict: 'DENY' | 'ESCALATE',
  index: RuleIndex,
  facts: Facts,
): Decision | undefined {
  const { holding, erring } = ask(index, facts)
  if (holding.length === 0) {
    if (erring.length === 0) return undefined
    return decision(snapshot, verdict, 'CONDITION_ERROR', erring)
  }
  return matched(snapshot, verdict, erring.length === 0 ? holding : [...holding, ...erring])
}

function permit(snapshot: EffectivePolicySnapshot, facts: Facts): Decision {
  const { holding, erring } = ask(snapshot.allow, facts)
  if (holding.length > 0) return matched(snapshot, 'ALLOW', holding)
  if (erring.length > 0) return decision(snapshot, 'DENY', 'CONDITION_ERROR', erring)
  return snapshot.unmatched
}

interface Asked {
  readonly holding: readonly CompiledRule[]
  readonly erring: readonly CompiledRule[]
}

const none: readonly CompiledRule[] = Object.freeze([])
const nothing: Asked = Object.freeze({ holding: none, erring: none })

/** Asks the condition of each rule whose patterns fit. */
function ask(index: RuleIndex, facts: Facts): Asked {
  const found: CompiledRule[] = []
  findRules(index, facts, found)
  if (found.length === 0) return nothing
  let erring: CompiledRule[] | undefined
  let holds = 0
  for (const rule of found) {
    const result = rule.when === undefined || rule.when(facts)
    // What holds moves to the front of the list, which is ours.
    if (result === true) found[holds++] = rule
    else if (result === undefined) (erring ??= []).push(rule)
  }
  found.length = holds
  return { holding: found, erring: erring ?? none }
}

function matched(
  snapshot: EffectivePolicySnapshot,
  verdict: Verdict,
  rules: readonly CompiledRule[],
): Decision {
  const [first] = rules
  if (rules.length > 1 || first === undefined) {
    return decision(snapshot, verdict, matchCodes[verdict], rules)
  }
  return (first.decision ??= decision(snapshot, verdict, matchCodes[verdict], rules))
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
