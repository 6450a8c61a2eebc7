import type { Json } from '../bytes/json.ts'
import type { VerifiedBundle } from '../bundle/decode.ts'
import { finish } from '../bytes/finish.ts'
import { KernelError } from '../error.ts'
import type { Conditions } from '../ports/conditions.ts'
import { type Condition, conditionCompiler } from './condition.ts'
import { deny } from './decision.ts'
import { type Patterns, patternsOf } from './pattern.ts'
import { type CompiledRule, ruleIndexSliced } from './rule-index.ts'
import type { EffectivePolicySnapshot } from './snapshot.ts'

/** Rules between two yields: about a millisecond, some in a cold process. */
const slice = 256
/** A condition language takes about a millisecond for each. */
const expressionsPerSlice = 4

/**
 * Compiles a verified bundle: everything that can be done once is done here. Yields between slices.
 * Throws `COMPILE_FAILED` or `BUNDLE_MALFORMED`, naming the rule and the place in it.
 */
export function* compileSliced(
  bundle: VerifiedBundle,
  conditions?: Conditions,
): Generator<undefined, EffectivePolicySnapshot> {
  let expressions = 0
  const compileCondition = conditionCompiler(
    conditions && {
      compile(expression) {
        expressions++
        return conditions.compile(expression)
      },
    },
  )
  const patterns = sharedPatterns(false)
  const guardedPatterns = sharedPatterns(true)
  const rules: CompiledRule[] = []
  while (rules.length < bundle.rules.length) {
    compileSome(Math.min(rules.length + slice, bundle.rules.length))
    yield
  }
  const index = yield* ruleIndexSliced(rules)
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
    rules: index,
    unmatched: deny('NO_MATCHING_RULE', 'no rule matches', bundle),
  }) as EffectivePolicySnapshot

  /** Apart from the generator, because engines optimise a plain loop sooner. */
  function compileSome(to: number): void {
    const most = expressions + expressionsPerSlice
    for (let i = rules.length; i < to && expressions < most; i++) {
      const rule = bundle.rules[i]
      if (rule === undefined) return
      const { id, effect, reason, when, actions, resources, principals } = rule
      rules.push({
        id,
        effect,
        reason,
        when: when === undefined ? undefined : conditionOf(when, i),
        action: patternsOf(actions, false),
        resource: effect === 'ALLOW' ? guardedPatterns(resources) : patterns(resources),
        principal: patterns(principals),
        decision: undefined,
      })
    }
  }

  function conditionOf(when: Json, i: number): Condition {
    try {
      return compileCondition(when, 'when')
    } catch {
      return explain(when, i)
    }
  }

  /** Compiles again what does not compile, to name its place: 100,000 places are not spelled for one. */
  function explain(when: Json, i: number): Condition {
    try {
      return compileCondition(when, `rules[${i}].when`)
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause
      const id = bundle.rules[i]?.id ?? ''
      throw new KernelError(cause.code, `rule "${id}": ${cause.message}`, { cause })
    }
  }
}

/** `compileSliced`, run to its end. */
export function compile(bundle: VerifiedBundle, conditions?: Conditions): EffectivePolicySnapshot {
  return finish(compileSliced(bundle, conditions))
}

/** So many are remembered; a policy in which more differ has little to share. */
const maxShared = 1024

/** Many rules name the same principals and resources: one object serves them all. */
function sharedPatterns(guarded: boolean): (patterns: readonly string[] | undefined) => Patterns {
  const anything = patternsOf(undefined, guarded)
  const known = new Map<string, Patterns>()
  return (patterns) => {
    if (patterns === undefined) return anything
    const only = patterns[0] ?? ''
    if (patterns.length > 1) return patternsOf(patterns, guarded)
    const shared = known.get(only)
    if (shared !== undefined) return shared
    const made = patternsOf(patterns, guarded)
    if (known.size < maxShared) known.set(only, made)
    return made
  }
}
