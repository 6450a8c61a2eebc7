import type { Condition } from './condition.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
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
  /** The decision when this rule alone matches, once it was made: it is always the same. */
  decision: Decision | undefined
}

/**
 * Rules of one effect. The cost of a look-up grows with the rules that fit, and with the logarithm of
 * the prefixes; not with rules that cannot fit.
 */
export interface RuleIndex {
  readonly root: Node
  /** Set for ALLOW: a resource with a `..` segment then fits no prefix. */
  readonly guarded: boolean
}

/** Few rules, asked one by one, or many, told apart by the next dimension. */
type Node = readonly CompiledRule[] | Branch

interface Branch {
  readonly exact: ReadonlyMap<string, Node>
  readonly prefixes: PrefixIndex<Node> | undefined
  readonly any: Node
}

// Most telling first: an action is seldom shared, a principal often.
const dimensions = ['action', 'resource', 'principal'] as const
const resourceDepth = 1
const few = 8

export function ruleIndex(rules: readonly CompiledRule[], guarded: boolean): RuleIndex {
  return { root: nodeOf(rules, 0), guarded }
}

/** Adds to `found` each rule whose patterns fit the facts; no condition is asked. */
export function findRules({ root, guarded }: RuleIndex, facts: Facts, found: CompiledRule[]): void {
  find(root, 0, guarded, facts, found)
}

function nodeOf(rules: readonly CompiledRule[], depth: number): Node {
  const dimension = dimensions[depth]
  if (rules.length <= few || dimension === undefined) return rules
  const exact = new Map<string, CompiledRule[]>()
  const prefixes = new Map<string, CompiledRule[]>()
  const any: CompiledRule[] = []
  for (const rule of rules) {
    const patterns = rule[dimension]
    if (patterns.any) any.push(rule)
    for (const value of patterns.exact) push(exact, value, rule)
    for (const prefix of patterns.prefixes) push(prefixes, prefix, rule)
  }
  return {
    exact: deepen(exact, depth + 1),
    prefixes: prefixes.size === 0 ? undefined : prefixIndex(deepen(prefixes, depth + 1)),
    any: nodeOf(any, depth + 1),
  }
}

/** Splits further, in place, the groups that are not few: most are. */
function deepen(groups: Map<string, CompiledRule[]>, depth: number): ReadonlyMap<string, Node> {
  const nodes: Map<string, Node> = groups as Map<string, Node>
  for (const [key, group] of groups) {
    if (group.length > few) nodes.set(key, nodeOf(group, depth))
  }
  return nodes
}

function find(
  node: Node,
  depth: number,
  guarded: boolean,
  facts: Facts,
  found: CompiledRule[],
): void {
  if (!('exact' in node)) {
    for (const rule of node) if (fits(rule, depth, guarded, facts)) found.push(rule)
    return
  }
  const value = facts[dimensions[depth] ?? 'action']
  const { exact, prefixes, any } = node
  const group = exact.get(value)
  if (group !== undefined) find(group, depth + 1, guarded, facts, found)
  if (prefixes !== undefined && !(guarded && depth === resourceDepth && hasStepUp(value))) {
    prefixes.visit(value, (below) => find(below, depth + 1, guarded, facts, found))
  }
  find(any, depth + 1, guarded, facts, found)
}

/** Checks the dimensions from `depth` on: those before it have been told apart. */
function fits(rule: CompiledRule, depth: number, guarded: boolean, facts: Facts): boolean {
  return (
    (depth > 0 || matchesPattern(rule.action, facts.action, false)) &&
    (depth > 1 || matchesPattern(rule.resource, facts.resource, guarded)) &&
    (depth > 2 || matchesPattern(rule.principal, facts.principal, false))
  )
}

function push(groups: Map<string, CompiledRule[]>, key: string, rule: CompiledRule): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, [rule])
  else group.push(rule)
}
