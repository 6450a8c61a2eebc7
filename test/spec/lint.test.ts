import { describe, expect, it } from 'vitest'
import type { Json } from '@helm-ai-kernel/core'
import { lintRules } from '@helm-ai-kernel/core/policy'

const amount = { path: 'args.amount', op: 'gt', value: 100 }
const present = { path: 'args.amount', op: 'exists', value: true }

function lint(effect: 'ALLOW' | 'DENY' | 'ESCALATE', when?: Json): readonly string[] {
  const rule = { id: 'r', effect, actions: ['x'], ...(when !== undefined && { when }) }
  return lintRules([rule]).map(({ at }) => at)
}

describe('a DENY or ESCALATE that compares what may be missing', () => {
  it.each(['DENY', 'ESCALATE'] as const)('%s is warned of, at the place', (effect) => {
    expect(lint(effect, amount)).toEqual(['when'])
    expect(lint(effect, { any: [amount, { not: amount }] })).toEqual([
      'when.any[0]',
      'when.any[1].not',
    ])
  })

  it.each([
    ['with an exists beside it', { all: [present, amount] }],
    ['with an exists around it', { all: [present, { any: [amount, { not: amount }] }] }],
    [
      'with an exists of something in it',
      {
        all: [
          { path: 'args.a.b', op: 'exists', value: true },
          { path: 'args.a', op: 'ne', value: 1 },
        ],
      },
    ],
    ['over what the kernel sets', { path: 'principal', op: 'starts_with', value: 'a/' }],
    ['without a condition', undefined],
  ])('is fine %s', (_name, when) => {
    expect(lint('DENY', when as Json | undefined)).toEqual([])
  })

  it('is not helped by an exists of another member or in another branch', () => {
    const other = { path: 'args.other', op: 'exists', value: true }
    expect(lint('DENY', { all: [other, amount] })).toEqual(['when.all[1]'])
    expect(lint('DENY', { any: [{ all: [present] }, amount] })).toEqual(['when.any[1]'])
  })
})

describe('an ALLOW', () => {
  it('must not rest on context, which is the caller’s claim', () => {
    expect(lint('ALLOW', { path: 'context.team', op: 'eq', value: 'ops' })).toEqual(['when'])
    expect(lint('DENY', { all: [{ path: 'context.t', op: 'exists', value: true }] })).toEqual([])
  })

  it('must not hold a path by its first characters', () => {
    const starts = (value: string) => ({ path: 'args.file', op: 'starts_with', value })
    expect(lint('ALLOW', starts('/data'))).toEqual(['when'])
    expect(lint('ALLOW', starts('C:\\data'))).toEqual(['when'])
    expect(lint('ALLOW', starts('data'))).toEqual([])
    expect(lint('ALLOW', { path: 'args.file', op: 'within', value: '/data' })).toEqual([])
  })

  it('may compare what may be missing: an error is no match', () => {
    expect(lint('ALLOW', amount)).toEqual([])
  })
})
