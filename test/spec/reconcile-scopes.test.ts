import { memoryStore, scopeOf } from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { type SignedBundle, signedBundle } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { scope } from '../support/policy.ts'
import {
  acme,
  badlySigned,
  callerOf,
  forAcme,
  later,
  testReconciler,
  turns,
  unreachable,
} from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
/** A wake of it has the list read, and no more. */
const nobody = scopeOf('nobody', 'asks')
const noCounts = { active: 0, stale: 0, expired: 0, invalid: 0, withdrawn: 0, no_policy: 0 }

describe('scopes', () => {
  it('do not wait for one another', async () => {
    const { kernel, source, start, reconciler, end } = testReconciler({ scopes: [scope, acme] })
    source.offer('hangs')
    source.offer(forAcme(1), acme)
    void start()
    await turns()
    expect(kernel.evaluate(read, callerOf(acme)).verdict).toBe('ALLOW')
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
    await reconciler.wake(acme)
    expect(reconciler.statuses().map(({ snapshot_status }) => snapshot_status)).toEqual([
      'active',
      'no_policy',
    ])
    end()
  })

  it('that a listing adds are asked for, and those that vanish from it are withdrawn', async () => {
    const { kernel, source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    source.offer(forAcme(7), acme)
    await reconciler.wake()
    expect(kernel.evaluate(read, callerOf(acme)).verdict).toBe('ALLOW')
    source.list([scope])
    await reconciler.wake()
    expect(kernel.evaluate(read, callerOf(acme)).reasonCode).toBe('POLICY_WITHDRAWN')
    expect(reconciler.status(acme)).toMatchObject({
      snapshot_status: 'withdrawn',
      reason_code: 'SOURCE_EMPTY',
    })
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    source.list(undefined)
    source.offer(forAcme(6), acme)
    await reconciler.wake()
    expect(reconciler.status(acme)).toMatchObject({ reason_code: 'EPOCH_ROLLBACK' })
    source.offer(forAcme(7), acme)
    await reconciler.wake(acme)
    expect(kernel.evaluate(read, callerOf(acme)).verdict).toBe('ALLOW')
  })

  it('that never had policy leave nothing behind when they vanish', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    for (let i = 0; i < 50; i++) {
      source.list([scope, scopeOf('noise', `n${i}`)])
      await reconciler.wake()
    }
    expect(reconciler.statuses()).toHaveLength(2)
  })

  it('are all asked for at a wake that names none, each once', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await turns()
    await reconciler.wake()
    expect(source.asked()).toMatchObject({ heads: 2, loads: 1 })
    expect(source.asked(acme)).toMatchObject({ heads: 2, loads: 1 })
    expect(source.listings()).toBe(2)
  })

  it('that are not known yet are looked for in the list, when a wake names one', async () => {
    const { kernel, source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    await turns()
    await reconciler.wake(acme)
    expect(reconciler.status(acme)).toBeUndefined()
    source.offer(forAcme(1), acme)
    await reconciler.wake(acme)
    expect(kernel.evaluate(read, callerOf(acme)).verdict).toBe('ALLOW')
    expect(source.listings()).toBe(3)
    await reconciler.wake(acme)
    expect(source.listings()).toBe(3)
    expect(source.asked(scope).heads).toBe(1)
  })

  it('that are known are not asked for because the list is read', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await turns()
    for (let i = 0; i < 3; i++) await reconciler.wake(nobody)
    expect(source.listings()).toBe(4)
    expect([source.asked().heads, source.asked(acme).heads]).toEqual([1, 1])
  })

  it('can be withdrawn and offered again, time after time, and keep their count of failures', async () => {
    const { kernel, source, start, reconciler, wake } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await turns()
    for (let i = 1; i <= 3; i++) {
      source.list([scope])
      await reconciler.wake()
      expect(kernel.evaluate(read, callerOf(acme)).reasonCode).toBe('POLICY_WITHDRAWN')
      source.list([scope, acme])
      expect(await wake(unreachable, acme)).toMatchObject({ consecutive_failures: 1 })
      expect(await wake(forAcme(1), acme)).toMatchObject({ snapshot_status: 'active' })
    }
    await wake(unreachable, acme)
    source.list([scope])
    await reconciler.wake(nobody)
    source.list([scope, acme])
    await reconciler.wake(nobody)
    expect(reconciler.status(acme)).toMatchObject({ consecutive_failures: 2 })
  })

  it('are withdrawn for good also while an attempt at them is on its way', async () => {
    const { kernel, source, start, reconciler, attempts } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    const coming = later<SignedBundle>()
    source.offer(coming.promise, acme)
    void reconciler.wake()
    await turns()
    source.list([scope])
    const woken = reconciler.wake(nobody)
    await turns()
    coming.resolve(forAcme(1))
    await woken
    expect(kernel.evaluate(read, callerOf(acme)).reasonCode).toBe('POLICY_WITHDRAWN')
    expect(attempts.at(-1)).toMatchObject({
      class: 'unreachable',
      status: {
        tenant_id: 'acme',
        reconcile_status: 'source_error',
        reason_code: 'SOURCE_EMPTY',
        reason:
          'the source lists no policy for this scope: deliver policy for this scope to the source',
        next_poll_at: null,
      },
    })
  })

  it('that are withdrawn are polled no more', async () => {
    const { source, start, reconciler, pass } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await turns()
    source.list([scope])
    await reconciler.wake()
    const { heads } = source.asked(acme)
    for (let i = 0; i < 5; i++) await pass(11_000)
    expect(source.asked(acme).heads).toBe(heads)
  })

  it('that are configured stay, though no list names them and they never had policy', async () => {
    const { source, start, reconciler } = testReconciler({ scopes: [scope, acme] })
    source.offer(signedBundle(1))
    source.list([scope])
    await start()
    await turns()
    await reconciler.wake()
    expect(reconciler.status(acme)).toMatchObject({
      snapshot_status: 'no_policy',
      reason_code: 'SOURCE_EMPTY',
    })
  })

  it('are counted by how they stand, and listed by name, all or the first of them', async () => {
    const { source, start, reconciler, wake } = testReconciler({ onInvalidUpdate: 'deny' })
    const namesOf = (statuses: readonly PolicyStatus[]) =>
      statuses.map(({ tenant_id, workspace_id }) => `${tenant_id}/${workspace_id}`)
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await turns()
    expect(reconciler.counts()).toEqual({ ...noCounts, active: 2 })
    const beta = scopeOf('beta', 'prod')
    await wake(unreachable, beta)
    expect(reconciler.counts()).toEqual({ ...noCounts, active: 2, no_policy: 1 })
    expect(namesOf(reconciler.statuses())).toEqual(['acme/prod', 'beta/prod', 'default/default'])
    expect(namesOf(reconciler.statuses(1))).toEqual(['acme/prod'])
    await wake(badlySigned(2))
    source.list([scope])
    await reconciler.wake(nobody)
    expect(reconciler.counts()).toEqual({ ...noCounts, invalid: 1, withdrawn: 1 })
    expect(namesOf(reconciler.statuses())).toEqual(['acme/prod', 'default/default'])
  })

  it('can be woken before the start, which asks for none of them', async () => {
    const { source, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    await reconciler.wake()
    await reconciler.wake(scope)
    expect(source.asked().heads).toBe(0)
    expect(reconciler.statuses()).toMatchObject([{ reason_code: 'POLICY_NOT_READY' }])
  })
})

describe('scopes of which policy was kept', () => {
  const kept = () => ({ store: memoryStore(), keep: fileKeep(memoryDisk()) })

  it('are restored without being configured, and each once', async () => {
    const durable = kept()
    const first = testReconciler({}, durable)
    first.source.offer(signedBundle(1))
    first.source.offer(forAcme(1), acme)
    await first.start()
    await turns()
    const told: PolicyStatus[] = []
    const globex = scopeOf('globex', 'prod')
    const second = testReconciler(
      { scopes: [scope, globex], restored: (status) => told.push(status) },
      durable,
    )
    second.source.offer(unreachable)
    second.source.list(unreachable)
    await second.start()
    expect(second.kernel.evaluate(read, callerOf(acme)).verdict).toBe('ALLOW')
    expect(told.map(({ tenant_id }) => tenant_id).sort()).toEqual(['acme', 'default'])
    expect(told[0]).toMatchObject({
      snapshot_status: 'active',
      reason_code: 'POLICY_NOT_READY',
      reason: 'the policy source was not asked yet: wait for the first attempt',
      last_attempt_at: null,
      next_poll_at: null,
    })
  })

  it('are not waited for when they cannot be listed: it is said, and the source is asked', async () => {
    const keep = {
      ...fileKeep(memoryDisk()),
      list: async () => {
        throw new Error('EIO: i/o error')
      },
    }
    const { kernel, source, start, warnings, reconciler } = testReconciler({}, { keep })
    source.offer(signedBundle(1))
    await start()
    expect(warnings).toEqual(['kept policy cannot be listed: EIO: i/o error'])
    expect(reconciler.statuses()).toHaveLength(1)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })
})
