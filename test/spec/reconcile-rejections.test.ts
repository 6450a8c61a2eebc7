import {
  type Authority,
  type Digest,
  digest,
  encodeUtf8,
  KernelError,
  memoryStore,
  nobleCrypto,
} from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { createRejections } from '../../packages/core/src/reconcile/rejections.ts'
import { fakeClock } from '../support/clock.ts'
import { signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'
import { badlySigned, testReconciler, unreachable } from '../support/reconcile.ts'

const hour = 3_600_000

describe('rejections', () => {
  const refusals = async (store: ReturnType<typeof testReconciler>['store']) =>
    (await store.find({ scope, kind: 'rejection', limit: 1000 })).receipts.map(
      ({ statement }) => statement,
    )

  it('are written once for each distinct cause, also over a restart', async () => {
    const { source, start, wake, store } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    for (let i = 0; i < 3; i++) await wake(badlySigned(2))
    await wake(badlySigned(3))
    const again = testReconciler({}, { store })
    again.source.offer(badlySigned(3))
    await again.start()
    await again.wake(badlySigned(4))
    expect(again.warnings).toEqual([])
    expect(await refusals(store)).toMatchObject(
      [2, 3, 4].map((epoch) => ({
        reason_code: 'SIGNATURE_INVALID',
        desired_epoch: null,
        desired_hash: digest(nobleCrypto, badlySigned(epoch).bytes),
        source: 'scripted',
      })),
    )
  })

  it('say the epoch that the head named, and nothing of it where no head came', async () => {
    const { source, start, wake, store } = testReconciler()
    const { bytes, signature } = badlySigned(2)
    source.offer({ head: { policyEpoch: 2 }, bundle: { bytes, signature } })
    await start()
    await wake(new KernelError('SCOPE_CONFLICT', 'two objects are of this scope'))
    expect(await refusals(store)).toMatchObject([
      { desired_epoch: 2, desired_hash: digest(nobleCrypto, bytes) },
      { reason_code: 'SCOPE_CONFLICT', desired_epoch: null, desired_hash: null },
    ])
  })

  it('that the ledger did not take are told to it again', async () => {
    const inner = memoryStore()
    let isFull = false
    const { source, start, wake, warnings } = testReconciler(
      {},
      {
        store: {
          ...inner,
          append: async (drafts, seal) => {
            if (isFull) throw new KernelError('LEDGER_FULL', 'the disk is full')
            return inner.append(drafts, seal)
          },
        },
      },
    )
    source.offer(signedBundle(1))
    await start()
    isFull = true
    expect(await wake(badlySigned(2))).toMatchObject({ reason_code: 'SIGNATURE_INVALID' })
    expect(warnings).toEqual(['the disk is full'])
    isFull = false
    await wake()
    await wake()
    expect(await refusals(inner)).toHaveLength(1)
  })

  it('are at most ten an hour', async () => {
    const { source, start, wake, store, pass } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    for (let epoch = 2; epoch < 30; epoch++) await wake(badlySigned(epoch))
    expect(await refusals(store)).toHaveLength(10)
    await pass(hour - 1)
    await wake(badlySigned(30))
    expect(await refusals(store)).toHaveLength(10)
    await pass(1)
    await wake(badlySigned(31))
    expect(await refusals(store)).toHaveLength(11)
  })

  it('are not written of a source that cannot be reached', async () => {
    const { source, start, wake, store } = testReconciler()
    source.offer(unreachable)
    await start()
    await wake()
    expect(await refusals(store)).toEqual([])
  })
})

describe('what was told', () => {
  it('is remembered beyond its hour, until a thousand causes are', async () => {
    const told: Digest[] = []
    const reject: Authority['reject'] = async (_scope, { desired_hash }) => {
      if (desired_hash !== null) told.push(desired_hash)
    }
    const clock = fakeClock()
    const rejections = createRejections(scope, { reject }, memoryStore(), clock)
    const hashes = Array.from({ length: 1001 }, (_, i) => digest(nobleCrypto, encodeUtf8(`${i}`)))
    const record = async (i: number): Promise<void> =>
      rejections.record({
        reasonCode: 'SIGNATURE_INVALID',
        desiredEpoch: undefined,
        desiredHash: hashes[i],
        source: 'test',
      })

    for (let i = 0; i < 1000; i++) {
      if (i > 0 && i % 10 === 0) clock.advance(hour)
      if (i === 995) clock.advance(hour / 2)
      await record(i)
    }
    clock.advance(hour / 2)
    await record(0)
    expect(told).toEqual(hashes.slice(0, 1000))
    await record(1000)
    // Of the last ten, five are an hour old and five are younger.
    for (const i of [0, 990, 995, 1000]) await record(i)
    expect(told.slice(1000)).toEqual([1000, 0, 990].map((i) => hashes[i]))
  })
})
