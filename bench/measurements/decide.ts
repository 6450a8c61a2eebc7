import { decide, type Facts } from '@helm-ai-kernel/core/policy'
import type { Json, JsonObject } from '@helm-ai-kernel/core'
import { fastest, type Figure, report } from '../support/figure.ts'
import { bundleBytes, policyOf, snapshotOf } from '../support/policy.ts'

// P1: decide in process against the floor, a hand-written Map look-up with generic path conditions.
// P2: how the cost of one decision grows from 100 to 100,000 rules.

const asked = 64
const calls = 200_000

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
  readonly effect: string
  readonly principal: string
  readonly resources: readonly string[]
  readonly path: readonly string[]
  readonly op: string
  readonly value: Json
}

/** What one would write for exactly this policy, and no more: no errors, no ids, no proof. */
function floorOf(rules: readonly JsonObject[]): (facts: Facts) => string {
  const byAction = new Map<string, FloorRule[]>()
  for (const rule of rules) {
    const { path, op, value } = rule['when'] as { path: string; op: string; value: Json }
    const entry: FloorRule = {
      effect: rule['effect'] as string,
      principal: ((rule['principals'] as string[])[0] ?? '').slice(0, -1),
      resources: rule['resources'] as string[],
      path: path.split('.'),
      op,
      value,
    }
    const action = (rule['actions'] as string[])[0] ?? ''
    const known = byAction.get(action)
    if (known === undefined) byAction.set(action, [entry])
    else known.push(entry)
  }
  return (facts) => {
    let verdict = 'DENY'
    for (const rule of byAction.get(facts.action) ?? []) {
      if (!facts.principal.startsWith(rule.principal)) continue
      if (!rule.resources.some((pattern) => matches(pattern, facts.resource))) continue
      let actual: unknown = facts
      for (const name of rule.path) actual = (actual as Record<string, unknown>)[name]
      const holds =
        rule.op === 'lte' ? (actual as number) <= (rule.value as number) : actual === rule.value
      if (!holds) continue
      if (rule.effect === 'DENY') return 'DENY'
      verdict = 'ALLOW'
    }
    return verdict
  }
}

function matches(pattern: string, value: string): boolean {
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value
}

/** Nanoseconds a call. */
function cost(requests: readonly Facts[], call: (facts: Facts) => unknown): number {
  const [first] = requests
  if (first === undefined) throw new Error('no requests')
  const run = (): void => {
    for (let i = 0; i < calls; i++) call(requests[i % asked] ?? first)
  }
  run()
  return (fastest(5, run) * 1e6) / calls
}

const figures: Figure[] = []
const costs = new Map<number, number>()
for (const count of [100, 10_000, 100_000]) {
  const requests = requestsOf(count)
  const snapshot = snapshotOf(bundleBytes(count))
  const own = cost(requests, (facts) => decide(snapshot, facts))
  costs.set(count, own)
  const floor = floorOf(policyOf(count))
  for (const facts of requests) {
    if (decide(snapshot, facts).verdict !== floor(facts)) throw new Error('the verdicts differ')
  }
  if (count !== 10_000) continue
  const bare = cost(requests, floor)
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
  value: (costs.get(100_000) ?? 0) / (costs.get(100) ?? 1),
  limit: { sense: '≤', value: 1.5 },
  unit: 'ratio',
})
report(figures)
