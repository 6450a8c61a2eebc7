import type { Verdict } from '../receipt/statement.ts'
import { decide } from './decide.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
import { patternOf } from './pattern.ts'
import { type CompiledRule, findRules } from './rule-index.ts'
import type { EffectivePolicySnapshot } from './snapshot.ts'

/** A rule whose patterns fit a request, and what became of it. */
export interface Candidate {
  readonly id: string
  readonly effect: Verdict
  /** The pattern that fits each; `*` where the rule names none. */
  readonly action: string
  readonly resource: string
  readonly principal: string
  /** What the condition said; `none` when the rule has none. */
  readonly condition: 'none' | 'true' | 'false' | 'error'
  /** Whether the rule matches: an error counts in a DENY and an ESCALATE, never in an ALLOW. */
  readonly matches: boolean
  readonly reason: string | undefined
}

/** A decision, and every rule that was asked for it. */
export interface Explanation {
  readonly decision: Decision
  /** The strongest effect first, each sorted by id. Empty when the resource could not be read. */
  readonly candidates: readonly Candidate[]
}

/** Decides, and says which rules were asked and what they answered. For people; `decide` is for calls. */
export function explain(snapshot: EffectivePolicySnapshot, facts: Facts | undefined): Explanation {
  const decision = decide(snapshot, facts)
  if (facts === undefined) return { decision, candidates: [] }
  const candidates = findRules(snapshot.rules, facts)
    .map((rule) => candidateOf(rule, facts))
    .sort(byStrengthThenId)
  return { decision, candidates }
}

const strength: Readonly<Record<Verdict, number>> = { DENY: 0, ESCALATE: 1, ALLOW: 2 }

function byStrengthThenId(a: Candidate, b: Candidate): number {
  return strength[a.effect] - strength[b.effect] || (a.id < b.id ? -1 : 1)
}

function candidateOf(rule: CompiledRule, facts: Facts): Candidate {
  const { effect } = rule
  const holds = rule.when?.(facts)
  return {
    id: rule.id,
    effect,
    action: patternOf(rule.action, facts.action),
    resource: patternOf(rule.resource, facts.resource),
    principal: patternOf(rule.principal, facts.principal),
    condition: rule.when === undefined ? 'none' : holds === undefined ? 'error' : `${holds}`,
    matches: rule.when === undefined || (holds ?? effect !== 'ALLOW'),
    reason: rule.reason,
  }
}
