import { celConditions } from '@helm-ai-kernel/cel'
import type { Json } from '@helm-ai-kernel/core'
import { compile, decide } from '@helm-ai-kernel/core/policy'
import { describe, expect, it } from 'vitest'
import { bundleOf, decodeUnsigned, facts } from '../support/policy.ts'
import { refusal } from '../support/refusal.ts'

const payment = "args.amount > 100.0 && args.currency in ['EUR','USD']"

function bundle(effect: string, cel: string, more: readonly Json[] = []): Uint8Array {
  return bundleOf([{ id: 'pay', effect, actions: ['a'], when: { cel } }, ...more])
}

function verdict(bytes: Uint8Array, args: Json): readonly [string, string, readonly string[]] {
  const snapshot = compile(decodeUnsigned(bytes), celConditions())
  const { verdict, reasonCode, ruleIds } = decide(snapshot, facts({ args }))
  return [verdict, reasonCode, ruleIds]
}

describe('a rule with a condition in CEL', () => {
  const anyone: Json = { id: 'anyone', effect: 'ALLOW', actions: ['*'] }

  it('decides as the expression says', () => {
    const allow = bundle('ALLOW', payment)
    expect(verdict(allow, { amount: 150, currency: 'EUR' })).toEqual([
      'ALLOW',
      'ALLOWED_BY_RULE',
      ['pay'],
    ])
    expect(verdict(allow, { amount: 100, currency: 'EUR' })[1]).toBe('NO_MATCHING_RULE')
    expect(verdict(allow, { amount: 150, currency: 'GBP' })[1]).toBe('NO_MATCHING_RULE')
    const deny = bundle('DENY', payment, [anyone])
    expect(verdict(deny, { amount: 150, currency: 'EUR' })).toEqual([
      'DENY',
      'DENIED_BY_RULE',
      ['pay'],
    ])
    expect(verdict(deny, { amount: 150, currency: 'GBP' })[0]).toBe('ALLOW')
  })

  it.each<[name: string, args: Json]>([
    ['a missing member', { amount: 150 }],
    ['another type', { amount: '150', currency: 'EUR' }],
    ['null', { amount: 150, currency: null }],
    ['a list too long', { amount: 150, currency: Array.from({ length: 20_000 }, () => 'EUR') }],
  ])('that errs counts as a match of DENY and ESCALATE, and as none of ALLOW: %s', (_, args) => {
    expect(verdict(bundle('DENY', payment, [anyone]), args)).toEqual([
      'DENY',
      'CONDITION_ERROR',
      ['pay'],
    ])
    expect(verdict(bundle('ESCALATE', payment, [anyone]), args)).toEqual([
      'ESCALATE',
      'CONDITION_ERROR',
      ['pay'],
    ])
    expect(verdict(bundle('ALLOW', payment), args)).toEqual(['DENY', 'CONDITION_ERROR', ['pay']])
  })

  it('that runs out of fuel denies, though it ends in `|| true` or in `&& false`', () => {
    const args = { l: Array.from({ length: 5000 }, (_, i) => i) }
    const endless = 'args.l.all(x, args.l.all(y, x + y >= 0))'
    expect(verdict(bundle('ALLOW', `${endless} || true`), args)[1]).toBe('CONDITION_ERROR')
    expect(verdict(bundle('DENY', `${endless} && false`, [anyone]), args)).toEqual([
      'DENY',
      'CONDITION_ERROR',
      ['pay'],
    ])
  })

  it('stands beside other conditions in one logic', () => {
    const when = { any: [{ cel: 'args.no == 1' }, { path: 'args.x', op: 'eq', value: 1 }] }
    const rules = [{ id: 'both', effect: 'ALLOW', actions: ['*'], when }]
    expect(verdict(bundleOf(rules), { x: 1 })[0]).toBe('ALLOW')
    expect(verdict(bundleOf(rules), { x: 2 })[1]).toBe('CONDITION_ERROR')
  })

  it('does not compile where there is no CEL, nor when the gate refuses it: the rule is named', () => {
    const without = refusal(() => compile(decodeUnsigned(bundle('ALLOW', payment))))
    expect(without.code).toBe('COMPILE_FAILED')
    expect(without.message).toContain('rule "pay"')
    expect(without.message).toContain('no CEL')
    const hostile = bundle('ALLOW', "args.path.matches('(a+)+$')")
    const refused = refusal(() => compile(decodeUnsigned(hostile), celConditions()))
    expect(refused.code).toBe('COMPILE_FAILED')
    expect(refused.message).toContain('rule "pay"')
    expect(refused.message).toContain('use startsWith')
    expect(refused.message).toContain('rules[0].when.cel')
  })
})
