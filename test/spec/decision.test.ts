import type { Json } from '@helm-ai-kernel/core'
import { decide, type Decision } from '@helm-ai-kernel/core/policy'
import { describe, expect, it } from 'vitest'
import { facts, snapshotOf } from '../support/policy.ts'

const allow = { id: 'allow', effect: 'ALLOW', actions: ['a'] }
const escalate = { id: 'escalate', effect: 'ESCALATE', actions: ['a'] }
const denial = { id: 'deny', effect: 'DENY', actions: ['a'], reason: 'never' }
const erring = { path: 'args.absent', op: 'eq', value: 1 }

function ask(
  rules: readonly Json[],
  request: Parameters<typeof facts>[0] = {},
  more: Record<string, Json> = {},
): Decision {
  const snapshot = snapshotOf(rules, more)
  return decide(snapshot, facts(request, snapshot))
}

describe('a decision', () => {
  it('is DENY when nothing matches, and when there are no rules', () => {
    expect(ask([])).toMatchObject({ verdict: 'DENY', reasonCode: 'NO_MATCHING_RULE', ruleIds: [] })
    expect(ask([allow], { action: 'b' })).toMatchObject({ verdict: 'DENY' })
  })

  it('takes the strongest effect: DENY over ESCALATE over ALLOW', () => {
    expect(ask([allow])).toMatchObject({ verdict: 'ALLOW', reasonCode: 'ALLOWED_BY_RULE' })
    expect(ask([allow, escalate])).toMatchObject({ verdict: 'ESCALATE', ruleIds: ['escalate'] })
    expect(ask([allow, escalate, denial])).toMatchObject({
      verdict: 'DENY',
      reasonCode: 'DENIED_BY_RULE',
      ruleIds: ['deny'],
      reason: 'never',
    })
  })

  it('names the rules of the winning effect, sorted, 64 at most, and counts them all', () => {
    const many = Array.from({ length: 70 }, (_, i) => ({ ...denial, id: `r${69 - i}` }))
    const { ruleIds, ruleCount } = ask(many)
    expect(ruleCount).toBe(70)
    expect(ruleIds).toHaveLength(64)
    expect(ruleIds).toEqual([...ruleIds].sort())
  })

  it('names the policy, and cannot be changed', () => {
    const decision = ask([allow])
    expect(decision.policyEpoch).toBe(1)
    expect(decision.policyHash).toMatch(/^sha256:/)
    expect(Object.isFrozen(decision)).toBe(true)
    expect(Object.isFrozen(decision.ruleIds)).toBe(true)
  })

  it('treats an error as a match of DENY and ESCALATE rules', () => {
    expect(ask([allow, { ...denial, when: erring }])).toMatchObject({
      verdict: 'DENY',
      reasonCode: 'CONDITION_ERROR',
      ruleIds: ['deny'],
    })
    expect(ask([allow, { ...escalate, when: erring }])).toMatchObject({
      verdict: 'ESCALATE',
      reasonCode: 'CONDITION_ERROR',
    })
  })

  it('keeps the plain code when another rule of the effect matched without error', () => {
    expect(ask([denial, { ...denial, id: 'deny2', when: erring }])).toMatchObject({
      reasonCode: 'DENIED_BY_RULE',
      ruleIds: ['deny', 'deny2'],
    })
  })

  it('treats an error as no match of an ALLOW rule, and says so when nothing else matched', () => {
    expect(ask([{ ...allow, when: erring }])).toMatchObject({
      verdict: 'DENY',
      reasonCode: 'CONDITION_ERROR',
      ruleIds: ['allow'],
    })
    expect(ask([allow, { ...allow, id: 'allow2', when: erring }])).toMatchObject({
      verdict: 'ALLOW',
      ruleIds: ['allow'],
    })
  })

  it('never takes identity from args or context', () => {
    const rule = { ...allow, principals: ['admin'] }
    expect(
      ask([rule], { args: { principal: 'admin' }, context: { principal: 'admin' } }),
    ).toMatchObject({ verdict: 'DENY' })
  })
})

describe('a pattern', () => {
  it.each([
    ['ticket.read', 'ticket.read', true],
    ['ticket.read', 'ticket.reads', false],
    ['ticket.*', 'ticket.', true],
    ['ticket.*', 'ticket.read', true],
    ['ticket.*', 'ticket', false],
    ['*', 'anything', true],
    ['Ticket.read', 'ticket.read', false],
    ['ticket.read', 'ticket.read ', false],
    ['é', 'e\u0301', false],
  ])('%s on action %s matches: %s', (pattern, action, matches) => {
    const { verdict } = ask([{ ...allow, actions: [pattern] }], { action })
    expect(verdict).toBe(matches ? 'ALLOW' : 'DENY')
  })

  it.each([
    'file:/srv/../etc/passwd',
    'file:/srv/..',
    'file:..',
    'file:/srv/%2e%2E/etc',
    'file:/srv%2f..%2fetc',
    'file:\\srv\\..\\etc',
    'file:/srv/..?query',
  ])('by prefix does not ALLOW %s, but does DENY it', (resource) => {
    const resources = ['file:*']
    expect(ask([{ ...allow, resources }], { resource })).toMatchObject({
      reasonCode: 'NO_MATCHING_RULE',
    })
    expect(ask([{ ...denial, resources }], { resource })).toMatchObject({
      reasonCode: 'DENIED_BY_RULE',
    })
    expect(ask([{ ...allow, resources: [resource, 'file:*'] }], { resource })).toMatchObject({
      verdict: 'ALLOW',
    })
  })

  it('by prefix allows dots that are no step up', () => {
    const rule = { ...allow, resources: ['file:*'] }
    for (const resource of ['file:/a..b', 'file:/...', 'file:/a%20b', 'file:/.hidden']) {
      expect(ask([rule], { resource })).toMatchObject({ verdict: 'ALLOW' })
    }
  })
})

describe('resources_from', () => {
  const more = { resources_from: { a: 'args.order.id' } }
  const rule = { ...allow, resources: ['order:1'] }

  it('takes the resource from the arguments when the caller gives none', () => {
    expect(ask([rule], { args: { order: { id: 'order:1' } } }, more).verdict).toBe('ALLOW')
    expect(ask([rule], { args: { order: { id: 'order:2' } } }, more).verdict).toBe('DENY')
    expect(
      ask([rule], { resource: 'order:2', args: { order: { id: 'order:1' } } }, more).verdict,
    ).toBe('DENY')
  })

  it.each([
    {},
    { order: { id: 5 } },
    { order: { id: 'a\u202eb' } },
    { order: { id: 'x'.repeat(2049) } },
  ])('is a condition error when %j has no such resource', (args) => {
    expect(ask([{ ...allow, resources: ['*'] }], { args }, more)).toMatchObject({
      verdict: 'DENY',
      reasonCode: 'CONDITION_ERROR',
    })
  })
})
