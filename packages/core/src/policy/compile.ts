import type { Rule } from '../bundle/document.ts'
import { finish, type VerifiedBundle } from '../bundle/decode.ts'
import { KernelError } from '../error.ts'
import type { Conditions } from '../ports/conditions.ts'
import type { Verdict } from '../receipt/statement.ts'
import { conditionCompiler } from './condition.ts'
import { type Patterns, patternsOf } from './pattern.ts'
import { type CompiledRule, ruleIndex } from './rule-index.ts'
import type { EffectivePolicySnapshot } from './snapshot.ts'

/** Rules between two yields: about a millisecond. */
const slice = 1024

/**
 * Compiles a verified bundle: everything that can be done once is done here. Yields between slices.
 * Throws `COMPILE_FAILED` or `BUNDLE_MALFORMED`, naming the rule and the place in it.
 */
export function* compileSliced(
  bundle: VerifiedBundle,
  conditions?: Conditions,
): Generator<undefined, EffectivePolicySnapshot> {
  const compileCondition = conditionCompiler(conditions)
  const patterns = sharedPatterns(false)
  const guardedPatterns = sharedPatterns(true)
  const byEffect: Readonly<Record<Verdict, CompiledRule[]>> = { DENY: [], ESCALATE: [], ALLOW: [] }
  for (const [i, rule] of bundle.rules.entries()) {
    byEffect[rule.effect].push({
      id: rule.id,
      reason: rule.reason,
      when: rule.when === undefined ? undefined : conditionOf(rule, i),
      action: patterns(rule.actions),
      resource: (rule.effect === 'ALLOW' ? guardedPatterns : patterns)(rule.resources),
      principal: patterns(rule.principals),
    })
    if (i % slice === slice - 1) yield
  }
  const deny = ruleIndex(byEffect.DENY, false)
  yield
  const escalate = ruleIndex(byEffect.ESCALATE, false)
  yield
  const allow = ruleIndex(byEffect.ALLOW, true)
  return Object.freeze({
    scope: bundle.scope,
    policyEpoch: bundle.policyEpoch,
    policyHash: bundle.policyHash,
    provenance: bundle.provenance,
    keyIds: bundle.keyIds,
    audience: bundle.audience,
    issuedAt: bundle.issuedAt,
    expiresAt: bundle.expiresAt,
    ruleCount: bundle.rules.length,
    resourcesFrom: bundle.resourcesFrom,
    deny,
    escalate,
    allow,
  }) as EffectivePolicySnapshot

  function conditionOf(rule: Rule, i: number): CompiledRule['when'] {
    try {
      return compileCondition(rule.when ?? null, `rules[${i}].when`)
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause
      throw new KernelError(cause.code, `rule "${rule.id}": ${cause.message}`, { cause })
    }
  }
}

/** `compileSliced`, run to its end. */
export function compile(bundle: VerifiedBundle, conditions?: Conditions): EffectivePolicySnapshot {
  return finish(compileSliced(bundle, conditions))
}

/** Many rules name the same principals and resources: one object serves them all. */
function sharedPatterns(guarded: boolean): (patterns: readonly string[] | undefined) => Patterns {
  const anything = patternsOf(undefined, guarded)
  const known = new Map<string, Patterns>()
  return (patterns) => {
    if (patterns === undefined) return anything
    const [only = ''] = patterns
    const key = patterns.length === 1 ? only : JSON.stringify(patterns)
    let shared = known.get(key)
    if (shared === undefined) known.set(key, (shared = patternsOf(patterns, guarded)))
    return shared
  }
}
