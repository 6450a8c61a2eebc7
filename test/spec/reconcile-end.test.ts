import { scopeOf } from '@helm-ai-kernel/core'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { type SignedBundle, signedBundle } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { scope } from '../support/policy.ts'
import { acme, forAcme, later, testReconciler, turns } from '../support/reconcile.ts'

describe('a reconciler that was told to end', () => {
  it('asks for nothing more, whoever wakes it', async () => {
    const { source, start, end, reconciler, pass } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    await turns()
    end()
    await reconciler.wake()
    await reconciler.wake(scope)
    await reconciler.wake(acme)
    for (let i = 0; i < 5; i++) await pass(11_000)
    expect(source.asked().heads).toBe(1)
    expect(source.listings()).toBe(1)
  })

  it.each(['before its start', 'while it restores what was kept'])(
    'asks for nothing at all when that came %s',
    async (when) => {
      let list: () => void = () => undefined
      const listed = new Promise<void>((resolve) => (list = resolve))
      const keep = {
        ...fileKeep(memoryDisk()),
        list: async () => {
          await listed
          return []
        },
      }
      const { source, start, end, pass } = testReconciler({}, { keep })
      source.offer(signedBundle(1))
      if (when === 'before its start') end()
      const started = start()
      await turns()
      end()
      list()
      await started
      for (let i = 0; i < 5; i++) await pass(11_000)
      expect([source.asked().heads, source.listings()]).toEqual([0, 0])
    },
  )

  it('says still how the last attempt ended, and that none is to come', async () => {
    const { source, start, end, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    expect(reconciler.status(scope)?.next_poll_at).not.toBeNull()
    end()
    expect(reconciler.status(scope)).toMatchObject({
      reconcile_status: 'ok',
      bundle_ref: 'ref',
      last_attempt_at: '2026-11-22T06:00:00.000Z',
      consecutive_failures: 0,
      next_poll_at: null,
    })
  })

  it('lets the attempt that is on its way end, and begins none after it', async () => {
    const { kernel, source, start, end, reconciler, pass } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    const coming = later<SignedBundle>()
    source.offer(coming.promise)
    const first = reconciler.wake(scope)
    const second = reconciler.wake(scope)
    await turns()
    end()
    coming.resolve(signedBundle(2))
    await Promise.all([first, second])
    for (let i = 0; i < 5; i++) await pass(11_000)
    expect(kernel.status().policy?.policyEpoch).toBe(2)
    expect(source.asked().heads).toBe(2)
    expect(reconciler.status(scope)?.next_poll_at).toBeNull()
  })

  it('takes nothing from a list that comes late, and reads none that was to be read', async () => {
    const { source, start, end, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    const list = later<readonly (typeof scope)[]>()
    source.list(list.promise)
    await start()
    const woken = reconciler.wake(scopeOf('nobody', 'asks'))
    end()
    list.resolve([scope, acme])
    await woken
    expect(source.asked(acme).heads).toBe(0)
    expect(source.listings()).toBe(1)
  })
})
