import { describe, expect, it } from 'vitest'
import type { Json, RequestInput } from '@helm-ai-kernel/core'
import { decide, explain, type Explanation } from '@helm-ai-kernel/core/policy'
import { facts, snapshotOf } from '../support/policy.ts'

const over = (value: number): Json => ({ path: 'args.n', op: 'gt', value })
const rules: readonly Json[] = [
  { id: 'allow-a', effect: 'ALLOW', actions: ['a'] },
  { id: 'allow-file', effect: 'ALLOW', actions: ['a'], resources: ['file:*', 'tmp:1'] },
  { id: 'deny-other', effect: 'DENY', actions: ['other'] },
  { id: 'deny-over', effect: 'DENY', actions: ['*'], when: over(100), reason: 'too much' },
  { id: 'escalate-over', effect: 'ESCALATE', actions: ['a', 'b*'], when: over(10) },
]

function ask(request: Partial<RequestInput>): Explanation {
  const snapshot = snapshotOf(rules)
  const asked = facts(request, snapshot)
  const explanation = explain(snapshot, asked)
  expect(explanation.decision).toEqual(decide(snapshot, asked))
  return explanation
}

describe('an explanation', () => {
  it('has every rule whose patterns fit, strongest effect first, and what its condition said', () => {
    const { candidates } = ask({ resource: 'file:x', args: { n: 50 } })
    expect(candidates.map(({ id, condition, matches }) => [id, condition, matches])).toEqual([
      ['deny-over', 'false', false],
      ['escalate-over', 'true', true],
      ['allow-a', 'none', true],
      ['allow-file', 'none', true],
    ])
  })

  it('names the patterns that fit', () => {
    const { candidates } = ask({ action: 'bc', args: { n: 50 } })
    expect(candidates).toMatchObject([
      { id: 'deny-over', action: '*', resource: '*', reason: 'too much' },
      { id: 'escalate-over', action: 'b*' },
    ])
    const onFile = ask({ resource: 'file:x', args: { n: 1 } }).candidates
    expect(onFile.find(({ id }) => id === 'allow-file')?.resource).toBe('file:*')
    const onTmp = ask({ resource: 'tmp:1', args: { n: 1 } }).candidates
    expect(onTmp.find(({ id }) => id === 'allow-file')?.resource).toBe('tmp:1')
  })

  it('counts an error as a match of restrictive rules alone', () => {
    const { decision, candidates } = ask({})
    expect(decision).toMatchObject({ verdict: 'DENY', reasonCode: 'CONDITION_ERROR' })
    expect(candidates.map(({ condition, matches }) => [condition, matches])).toEqual([
      ['error', true],
      ['error', true],
      ['none', true],
    ])
  })

  it('leaves out an ALLOW by prefix for a resource that steps up', () => {
    const { candidates } = ask({ resource: 'file:a/../b', args: { n: 1 } })
    expect(candidates.map(({ id }) => id)).not.toContain('allow-file')
  })

  it('has no candidates when the resource could not be read', () => {
    const snapshot = snapshotOf(rules, { resources_from: { a: 'args.id' } })
    const { decision, candidates } = explain(snapshot, facts({}, snapshot))
    expect(decision.reasonCode).toBe('CONDITION_ERROR')
    expect(candidates).toEqual([])
  })
})
