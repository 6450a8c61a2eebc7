import type { Verdict } from '../receipt/statement.ts'
import type { Condition } from './condition.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
import { hasStepUp, matchesPattern, type Patterns } from './pattern.ts'
import { type PrefixIndex, prefixIndexSliced } from './prefix-index.ts'

/** A rule ready to be asked. */
export interface CompiledRule {
  readonly id: string
  readonly effect: Verdict
  readonly reason: string | undefined
  readonly when: Condition | undefined
  readonly action: Patterns
  readonly resource: Patterns
  readonly principal: Patterns
  /** The decision when this rule alone matches, once it was made: it is always the same. */
  decision: Decision | undefined
}

/**
 * Rules by what their patterns fit. The cost of a look-up grows with the rules that fit, and with the
 * logarithm of the prefixes; not with rules that cannot fit.
 */
export type RuleIndex = Node

/** One rule; few, asked one by one; or many, told apart by the next dimension. */
type Node = CompiledRule | readonly CompiledRule[] | Branch

interface Branch {
  readonly exact: ReadonlyMap<string, Node>
  readonly prefixes: PrefixIndex<Node> | undefined
  readonly any: Node | undefined
}

// Most telling first: an action is seldom shared, a principal often.
const dimensions = ['action', 'resource', 'principal'] as const
const few = 8

/** Rules between two yields: a millisecond or two. */
const slice = 2048

/** Yields between slices. */
export function ruleIndexSliced(rules: readonly CompiledRule[]): Generator<undefined, RuleIndex> {
  return nodeOf(rules, 0)
}

/** The rules whose patterns fit the facts; no condition is asked. */
export function findRules(index: RuleIndex, facts: Facts): readonly CompiledRule[] {
  const found: CompiledRule[] = []
  find(index, 0, false, facts, found)
  return found
}

function* nodeOf(rules: readonly CompiledRule[], depth: number): Generator<undefined, Node> {
  const dimension = dimensions[depth]
  if (rules.length <= few || dimension === undefined) return rules
  const exact = new Map<string, Group>()
  const prefixes = new Map<string, Group>()
  const any: CompiledRule[] = []
  const addSome = (from: number): void => {
    for (let i = from; i < Math.min(from + slice, rules.length); i++) {
      const rule = rules[i]
      if (rule === undefined) return
      const patterns = rule[dimension]
      if (patterns.any) any.push(rule)
      for (const value of patterns.exact) push(exact, value, rule)
      for (const prefix of patterns.prefixes) push(prefixes, prefix, rule)
    }
  }
  for (let from = 0; from < rules.length; from += slice) {
    addSome(from)
    if (rules.length > slice) yield
  }
  return {
    exact: yield* deepen(exact, depth + 1),
    prefixes:
      prefixes.size === 0
        ? undefined
        : yield* prefixIndexSliced(yield* deepen(prefixes, depth + 1)),
    any: any.length === 0 ? undefined : yield* nodeOf(any, depth + 1),
  }
}

/** Most groups have one rule: it needs no list. */
type Group = CompiledRule | CompiledRule[]

/** Splits further, in place, the groups that are not few: most are. */
function* deepen(
  groups: Map<string, Group>,
  depth: number,
): Generator<undefined, ReadonlyMap<string, Node>> {
  const nodes: Map<string, Node> = groups
  let seen = 0
  for (const [key, group] of groups) {
    if (++seen % slice === 0) yield
    if (Array.isArray(group) && group.length > few) nodes.set(key, yield* nodeOf(group, depth))
  }
  return nodes
}

/** `restrictive`: a resource with a step up came here by a prefix, and no ALLOW rule may. */
function find(
  node: Node,
  depth: number,
  restrictive: boolean,
  facts: Facts,
  found: CompiledRule[],
): void {
  if (isFew(node)) {
    for (const rule of node) find(rule, depth, restrictive, facts, found)
    return
  }
  if ('effect' in node) {
    const isShut = restrictive && node.effect === 'ALLOW'
    if (!isShut && fits(node, depth, facts)) found.push(node)
    return
  }
  const value = depth === 0 ? facts.action : depth === 1 ? facts.resource : facts.principal
  const { exact, prefixes, any } = node
  const group = exact.get(value)
  if (group !== undefined) find(group, depth + 1, restrictive, facts, found)
  if (prefixes !== undefined) {
    const below = restrictive || (depth === 1 && hasStepUp(value))
    prefixes.visit(value, (group) => find(group, depth + 1, below, facts, found))
  }
  if (any !== undefined) find(any, depth + 1, restrictive, facts, found)
}

function isFew(node: Node): node is readonly CompiledRule[] {
  return Array.isArray(node)
}

/** Checks the dimensions from `depth` on: those before it have been told apart. */
function fits(rule: CompiledRule, depth: number, facts: Facts): boolean {
  const guarded = rule.effect === 'ALLOW'
  return (
    (depth > 0 || matchesPattern(rule.action, facts.action, false)) &&
    (depth > 1 || matchesPattern(rule.resource, facts.resource, guarded)) &&
    (depth > 2 || matchesPattern(rule.principal, facts.principal, false))
  )
}

function push(groups: Map<string, Group>, key: string, rule: CompiledRule): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, rule)
  else if (Array.isArray(group)) group.push(rule)
  else groups.set(key, [group, rule])
}
