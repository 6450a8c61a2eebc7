import type { Facts } from './facts.ts'
import type { Condition } from './condition.ts'
import { hasStepUp, matchesPattern, type Patterns } from './pattern.ts'
import { type PrefixIndex, prefixIndex } from './prefix-index.ts'

/** A rule ready to be asked. */
export interface CompiledRule {
  readonly id: string
  readonly reason: string | undefined
  readonly when: Condition | undefined
  readonly action: Patterns
  readonly resource: Patterns
  readonly principal: Patterns
}

/** Calls `visit` for each rule whose patterns fit the facts; its condition is not asked. */
export type RuleIndex = (facts: Facts, visit: (rule: CompiledRule) => void) => void

// Most telling first: an action is seldom shared, a principal often.
const dimensions = ['action', 'resource', 'principal'] as const
type Dimension = (typeof dimensions)[number]

/** So few rules are asked one by one; more are split by the next dimension. */
const few = 8

/**
 * An index over rules of one effect. The cost of a look-up grows with the rules that fit, and with the
 * logarithm of the prefixes; not with rules that cannot fit. `guarded` is set for ALLOW: a resource
 * with a `..` segment then fits no prefix.
 */
export function ruleIndex(rules: readonly CompiledRule[], guarded: boolean): RuleIndex {
  return split(rules, 0, guarded)
}

function split(rules: readonly CompiledRule[], depth: number, guarded: boolean): RuleIndex {
  const dimension = dimensions[depth]
  if (rules.length <= few || dimension === undefined) return oneByOne(rules, depth, guarded)
  const exact = new Map<string, CompiledRule[]>()
  const prefixes = new Map<string, CompiledRule[]>()
  const any: CompiledRule[] = []
  for (const rule of rules) {
    const patterns = rule[dimension]
    if (patterns.any) any.push(rule)
    for (const value of patterns.exact) push(exact, value, rule)
    for (const prefix of patterns.prefixes) push(prefixes, prefix, rule)
  }
  const deeper = (group: readonly CompiledRule[]): RuleIndex => split(group, depth + 1, guarded)
  const byValue = mapValues(exact, deeper)
  const byPrefix: PrefixIndex<RuleIndex> | undefined =
    prefixes.size === 0 ? undefined : prefixIndex(mapValues(prefixes, deeper))
  const forAny = any.length === 0 ? undefined : deeper(any)
  return (facts, visit) => {
    const value = facts[dimension]
    byValue.get(value)?.(facts, visit)
    if (byPrefix !== undefined && prefixesCount(dimension, value, guarded)) {
      byPrefix.visit(value, (index) => index(facts, visit))
    }
    forAny?.(facts, visit)
  }
}

function oneByOne(rules: readonly CompiledRule[], depth: number, guarded: boolean): RuleIndex {
  const left = dimensions.slice(depth)
  return (facts, visit) => {
    for (const rule of rules) {
      if (left.every((dimension) => fits(rule, dimension, facts, guarded))) visit(rule)
    }
  }
}

function fits(rule: CompiledRule, dimension: Dimension, facts: Facts, guarded: boolean): boolean {
  const patterns = rule[dimension]
  if (patterns.any) return true
  const value = facts[dimension]
  return matchesPattern(
    patterns,
    value,
    patterns.prefixes.length > 0 && prefixesCount(dimension, value, guarded),
  )
}

function prefixesCount(dimension: Dimension, value: string, guarded: boolean): boolean {
  return !(guarded && dimension === 'resource' && hasStepUp(value))
}

function push(groups: Map<string, CompiledRule[]>, key: string, rule: CompiledRule): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, [rule])
  else group.push(rule)
}

function mapValues<A, B>(map: ReadonlyMap<string, A>, change: (value: A) => B): Map<string, B> {
  const changed = new Map<string, B>()
  for (const [key, value] of map) changed.set(key, change(value))
  return changed
}
