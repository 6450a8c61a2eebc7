import { describe, expect, it } from 'vitest'
import { pollDelay } from '../../packages/core/src/reconcile/delay.ts'
import { createLane } from '../../packages/core/src/reconcile/lane.ts'
import { type SignedBundle, signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'
import {
  acme,
  later,
  type Offer,
  testReconciler,
  turns,
  unreachable,
} from '../support/reconcile.ts'

const minute = 60_000

describe('the time until the next poll', () => {
  const middle = { bytes: () => Uint8Array.of(127) }

  it.each<[interval: number, failures: number, delay: number]>([
    [10_000, 0, 10_000],
    [10_000, 1, 20_000],
    [10_000, 2, 40_000],
    [10_000, 3, minute],
    [10_000, 5_000, minute],
    [1_000, 2, 4_000],
    [1_000, 3, 8_000],
    [1_000, 4, 8_000],
    [5 * minute, 0, 5 * minute],
    [5 * minute, 9, 5 * minute],
  ])('of %i ms after %i failures is about %i ms', (interval, failures, delay) => {
    expect(pollDelay(interval, failures, middle) / delay).toBeCloseTo(1, 2)
  })

  it.each<[byte: number, delay: number]>([
    [0, 9_000],
    [51, 9_400],
    [204, 10_600],
    [255, 11_000],
  ])('is spread by a tenth to both sides: the random byte %i makes 10 s %i ms', (byte, delay) => {
    expect(pollDelay(10_000, 0, { bytes: () => Uint8Array.of(byte) })).toBe(delay)
  })
})

describe('a lane', () => {
  it('runs so many at a time, in the order in which they came, whether they fail or not', async () => {
    const lane = createLane(2)
    const begun: number[] = []
    const works = Array.from({ length: 5 }, () => later<undefined>())
    const done = works.map((work, i) =>
      lane(async () => {
        begun.push(i)
        await work.promise
        if (i % 2 === 0) throw unreachable
      }).catch(() => undefined),
    )
    await turns()
    expect(begun).toEqual([0, 1])
    works[1]?.resolve(undefined)
    await turns()
    expect(begun).toEqual([0, 1, 2])
    for (const work of works) work.resolve(undefined)
    await Promise.all(done)
    expect(begun).toEqual([0, 1, 2, 3, 4])
    const again: number[] = []
    for (const i of [5, 6, 7]) {
      void lane(async () => {
        again.push(i)
        await new Promise(() => undefined)
      })
    }
    await turns()
    expect(again).toEqual([5, 6])
  })
})

describe('scopes that are slow', () => {
  const names = Array.from({ length: 100 }, (_, i) => ({ ...acme, workspaceId: `w${i}` }))
  const askedOf = (source: ReturnType<typeof testReconciler>['source']) =>
    names.map((of) => source.asked(of).heads)
  const sum = (counts: readonly number[]) => counts.reduce((all, one) => all + one, 0)

  it('are asked for eight at a time after they were, and delay no other', async () => {
    const { source, start, reconciler, pass, wake } = testReconciler({
      scopes: [scope, ...names.slice(0, 20)],
    })
    source.offer(signedBundle(1))
    for (const of of names.slice(0, 20)) source.offer('hangs', of)
    const started = start()
    await turns()
    expect(sum(askedOf(source))).toBe(20)
    await pass(10_000)
    await started
    for (const of of names.slice(0, 20)) void reconciler.wake(of)
    await turns()
    expect(sum(askedOf(source))).toBe(20 + 8)
    expect(await wake()).toMatchObject({ snapshot_status: 'active' })
    await pass(10_000)
    expect(sum(askedOf(source))).toBe(20 + 16)
  })

  it.each<[what: string, offerOf: (workspace: string) => SignedBundle | Error]>([
    ['succeeds', goodFor],
    ['fails at once', () => unreachable],
  ])('are those of the last attempt: who %s is not among them', async (_what, offerOf) => {
    const few = names.slice(0, 12)
    const { source, start, reconciler, pass } = testReconciler({
      scopes: few,
      pollInterval: 60 * minute,
    })
    const offerAll = (offer: (workspace: string) => Offer): void => {
      for (const of of few) source.offer(offer(of.workspaceId), of)
    }
    const wakeAll = () => Promise.all(few.map((of) => reconciler.wake(of)))
    offerAll(offerOf)
    await start()
    offerAll(() => 'hangs')
    const slow = wakeAll()
    await turns()
    expect(sum(askedOf(source))).toBe(12 + 12)
    await pass(10_000)
    await slow
    offerAll(offerOf)
    await wakeAll()
    offerAll(() => 'hangs')
    void wakeAll()
    await turns()
    expect(sum(askedOf(source))).toBe(12 + 12 + 12 + 12)
  })

  it('are not all asked for at once when there are many', async () => {
    const { source, start } = testReconciler({ scopes: names })
    for (const of of names) source.offer('hangs', of)
    void start()
    await turns()
    expect(sum(askedOf(source))).toBeGreaterThan(20)
    expect(sum(askedOf(source))).toBeLessThan(100)
  })
})

function goodFor(workspace: string): SignedBundle {
  return signedBundle(1, undefined, {
    scope: { tenant_id: acme.tenantId, workspace_id: workspace },
  })
}
