import { decide, type Facts } from '@helm-ai-kernel/core/policy'
import type { Json, JsonObject } from '@helm-ai-kernel/core'
import { type Figure, report, timed } from '../support/figure.ts'
import { bundleBytes, policyOf, snapshotOf } from '../support/policy.ts'

// P1: decide in process against the floor, a hand-written Map look-up with generic path conditions.
// P2: how the cost of one decision grows from 100 to 100,000 rules.

const asked = 64
const perRound = 100_000
const rounds = 12

function requestsOf(count: number): readonly Facts[] {
  // The same number of requests whatever the count, spread over the policy; each meets one ALLOW, and
  // one in ten a DENY rule that does not hold.
  return Array.from({ length: asked }, (_, k): Facts => {
    const i = Math.floor((k * count) / asked)
    const tool = i - (i % 10 === 9 ? 1 : 0)
    return {
      principal: `agent:${k}`,
      action: `tool-${tool}.call`,
      resource: `account:${tool}`,
      sessionId: '',
      args: { amount: 50 + (k % 100), region: 'eu' },
      context: {},
      auth: {
        tenant_id: 'default',
        workspace_id: 'default',
        credential: '',
        roles: [],
        surface: 'embed',
      },
      now: 0,
    }
  })
}

interface FloorRule {
  readonly id: string
  readonly effect: string
  readonly principal: string
  readonly resources: readonly string[]
  readonly path: readonly string[]
  readonly test: (actual: unknown, value: Json) => boolean
  readonly value: Json
}

const tests: Readonly<Record<string, FloorRule['test']>> = {
  eq: (actual, value) => typeof actual === typeof value && actual === value,
  lte: (actual, value) =>
    typeof actual === 'number' && typeof value === 'number' && actual <= value,
}

/** What one would write by hand for such policies: no errors told apart, no index but by action. */
function floorOf(
  rules: readonly JsonObject[],
): (facts: Facts) => { readonly verdict: string; readonly id: string | undefined } {
  const byAction = new Map<string, FloorRule[]>()
  for (const rule of rules) {
    const { path, op, value } = rule['when'] as { path: string; op: string; value: Json }
    const entry: FloorRule = {
      id: rule['id'] as string,
      effect: rule['effect'] as string,
      principal: ((rule['principals'] as string[])[0] ?? '').slice(0, -1),
      resources: rule['resources'] as string[],
      path: path.split('.'),
      test: tests[op] ?? (() => false),
      value,
    }
    const action = (rule['actions'] as string[])[0] ?? ''
    const known = byAction.get(action)
    if (known === undefined) byAction.set(action, [entry])
    else known.push(entry)
  }
  return (facts) => {
    let allowed: string | undefined
    for (const rule of byAction.get(facts.action) ?? []) {
      if (!facts.principal.startsWith(rule.principal)) continue
      if (!rule.resources.some((pattern) => matches(pattern, facts.resource))) continue
      if (!rule.test(valueAt(facts, rule.path), rule.value)) continue
      if (rule.effect === 'DENY') return { verdict: 'DENY', id: rule.id }
      allowed = rule.id
    }
    return { verdict: allowed === undefined ? 'DENY' : 'ALLOW', id: allowed }
  }
}

/** Own members only, as any policy engine must. */
function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

function matches(pattern: string, value: string): boolean {
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value
}

/** Nanoseconds a call, each measured in turn with the others, so that a busy machine is fair to all. */
function costs(
  requests: readonly Facts[],
  calls: readonly ((facts: Facts) => unknown)[],
): readonly number[] {
  const [first] = requests
  if (first === undefined) throw new Error('no requests')
  const best = calls.map(() => Infinity)
  for (let round = 0; round < rounds; round++) {
    for (const [which, call] of calls.entries()) {
      const ms = timed(() => {
        for (let i = 0; i < perRound; i++) call(requests[i % asked] ?? first)
      })
      if (round > 0) best[which] = Math.min(best[which] ?? Infinity, (ms * 1e6) / perRound)
    }
  }
  return best
}

const figures: Figure[] = []
const byCount = new Map<number, number>()
for (const count of [100, 10_000, 100_000]) {
  const requests = requestsOf(count)
  const snapshot = snapshotOf(bundleBytes(count))
  const floor = floorOf(policyOf(count))
  const [own = 0, bare = 0] = costs(requests, [(facts) => decide(snapshot, facts), floor])
  byCount.set(count, own)
  for (const facts of requests) {
    if (decide(snapshot, facts).verdict !== floor(facts).verdict)
      throw new Error('the verdicts differ')
  }
  if (count !== 10_000) continue
  figures.push(
    { id: 'P1', what: 'decisions a second', rules: count, value: 1e9 / own, unit: '/s' },
    { id: 'P1', what: 'the same by the floor', rules: count, value: 1e9 / bare, unit: '/s' },
    {
      id: 'P1',
      what: 'decide as a share of the floor',
      rules: count,
      value: bare / own,
      limit: { sense: '≥', value: 0.6 },
      unit: 'ratio',
    },
  )
}
figures.push({
  id: 'P2',
  what: 'decide at 100,000 rules ÷ at 100',
  rules: 100_000,
  value: (byCount.get(100_000) ?? 0) / (byCount.get(100) ?? 1),
  limit: { sense: '≤', value: 1.5 },
  unit: 'ratio',
})
report(figures)
