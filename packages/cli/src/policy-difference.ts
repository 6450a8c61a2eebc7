import { canonical, type Json, type JsonObject, scopeKey, timestamp } from '@helm-ai-kernel/core'
import type { PolicyBundle, Rule } from '@helm-ai-kernel/core/bundle'
import {
  type Change,
  compareMembers,
  compareParts,
  type Differences,
  type Members,
} from './difference.ts'

/** What one policy says and another does not; the order of rules, patterns and tests has no meaning. */
export interface PolicyDifference {
  /** Of the head of the bundle, its resources and its metadata. */
  readonly members: readonly Change[]
  readonly rules: Differences
  readonly tests: Differences
}

export function comparePolicies(before: PolicyBundle, after: PolicyBundle): PolicyDifference {
  const rulesOf = ({ rules }: PolicyBundle) =>
    new Map(rules.map((rule) => [rule.id, membersOfRule(rule)]))
  return {
    members: compareMembers(membersOfHead(before), membersOfHead(after)),
    rules: compareParts(rulesOf(before), rulesOf(after)),
    tests: compareParts(testsOf(before), testsOf(after)),
  }
}

function membersOfHead(bundle: PolicyBundle): Members {
  const { scope, policyEpoch, audience, issuedAt, expiresAt, resourcesFrom, metadata } = bundle
  return {
    scope: scopeKey(scope),
    policy_epoch: policyEpoch,
    audience: asSet(audience),
    issued_at: issuedAt === undefined ? undefined : timestamp(issuedAt),
    expires_at: expiresAt === undefined ? undefined : timestamp(expiresAt),
    ...prefixed('resources_from', resourcesFrom),
    ...prefixed('metadata', Object.entries(metadata)),
  }
}

function membersOfRule(rule: Rule): Members {
  const { effect, actions, principals, resources, when, reason, approval } = rule
  return {
    effect,
    actions: asSet(actions),
    principals: asSet(principals),
    resources: asSet(resources),
    when,
    reason,
    'approval.by': asSet(approval?.by),
    'approval.count': approval?.count,
    'approval.expires_in': approval?.expires_in,
  }
}

/** By name; of several with one name the second and later are numbered, in an order of their own. */
function testsOf({ tests }: PolicyBundle): ReadonlyMap<string, Members> {
  const parts = new Map<string, Members>()
  const sorted = tests
    .map((test) => ({ test, key: canonical(test as unknown as Json) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const last = new Map<string, number>()
  for (const { test } of sorted) {
    let number = last.get(test.name) ?? 0
    let name: string
    do {
      number++
      name = number === 1 ? test.name : `${test.name} (${number})`
    } while (parts.has(name))
    last.set(test.name, number)
    parts.set(name, {
      ...prefixed('request', Object.entries(test.request)),
      ...prefixed('expect', Object.entries(test.expect)),
    })
  }
  return parts
}

function prefixed(prefix: string, members: Iterable<readonly [string, Json]>): JsonObject {
  return Object.fromEntries([...members].map(([name, value]) => [`${prefix}.${name}`, value]))
}

/** Patterns match or do not, whatever their order and however often they stand there. */
function asSet(patterns: readonly string[] | undefined): readonly string[] | undefined {
  return patterns && [...new Set(patterns)].sort()
}
