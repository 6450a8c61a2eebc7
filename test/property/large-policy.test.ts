import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Rule } from '@helm-ai-kernel/core/bundle'
import { decide } from '@helm-ai-kernel/core/policy'
import { finish } from '../../packages/core/src/bytes/finish.ts'
import { parseBundleSliced } from '../../packages/core/src/bundle/parse.ts'
import { compileSliced } from '../../packages/core/src/policy/compile.ts'
import { runSelfTestsSliced } from '../../packages/core/src/policy/self-test.ts'
import { sortedSliced } from '../../packages/core/src/policy/sorted.ts'
import { decideNaively } from '../support/naive-policy.ts'
import { bundleOf, decodeUnsigned, facts, snapshotOf } from '../support/policy.ts'

// A policy of more rules than one slice holds, with every form of pattern, against the definition.

const count = 6_000
const rules = Array.from({ length: count }, (_, i): Rule => {
  const tool = `t${i % 1500}`
  const forms = [[`${tool}.x`], [`${tool}.*`], [`${tool}.x`, `${tool}.y*`], [`${tool}*`], ['*']]
  return {
    id: `r${String(i).padStart(5, '0')}`,
    effect: (['ALLOW', 'DENY', 'ESCALATE'] as const)[i % 3] ?? 'DENY',
    // Few rules fit any action, or each request would meet them all.
    actions: (i % 997 === 0 ? forms[4] : forms[i % 4]) ?? [],
    resources: [`a:${i % 7}/*`, `b:${i % 5}`],
    principals: i % 2 === 0 ? ['agent:*'] : [`agent:${i % 11}`],
  }
})

describe('a policy of many rules', () => {
  const snapshot = snapshotOf(rules as never)

  it('decides as the definition does', () => {
    const request = fc.record({
      principal: fc.integer({ min: 0, max: 12 }).map((n) => `agent:${n}`),
      action: fc
        .tuple(fc.integer({ min: 0, max: 1510 }), fc.constantFrom('.x', '.y', '.yz', '', '0'))
        .map(([n, end]) => `t${n}${end}`),
      resource: fc
        .tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 8 }), fc.constantFrom('', '/c'))
        .map(([kind, n, end]) => `${kind}:${n}${end}`),
      args: fc.constant({}),
      context: fc.constant({}),
    })
    fc.assert(
      fc.property(request, (asked) => {
        const { verdict, reasonCode: code, ruleIds: ids } = decide(snapshot, facts(asked))
        expect({ verdict, code, ids }).toEqual(decideNaively(rules, asked as never))
      }),
      { numRuns: 300 },
    )
  })

  it('pauses all along the way in, so that decisions are let through', () => {
    const test = {
      name: 't',
      request: { principal: 'p', action: 'a' },
      expect: { verdict: 'DENY' },
    } as const
    const bundle = decodeUnsigned(bundleOf(rules as never, { tests: [test, test, test] }))
    expect(
      pauses(
        parseBundleSliced(JSON.parse(Buffer.from(bundleOf(rules as never)).toString()) as never),
      ),
    ).toBeGreaterThan(10)
    expect(pauses(compileSliced(bundle))).toBeGreaterThan(20)
    expect(pauses(runSelfTestsSliced(bundle, snapshot, 0))).toBe(3)
  })
})

describe('sorting in slices', () => {
  it('sorts as sorting at once does', () => {
    let state = 7
    const words = Array.from({ length: 30_000 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return (state % 20_011).toString(36)
    })
    for (const length of [0, 1, 4095, 4096, 4097, 12_289, 30_000]) {
      const some = words.slice(0, length)
      expect(finish(sortedSliced(some))).toEqual(some.toSorted())
    }
  })
})

function pauses(steps: Generator<undefined, unknown>): number {
  let count = 0
  while (steps.next().done !== true) count++
  return count
}
