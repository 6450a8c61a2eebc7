import { KernelError, nobleCrypto } from '@helm-ai-kernel/core'
import { staticSource } from '@helm-ai-kernel/core/reconcile'
import { parseSignatures } from '@helm-ai-kernel/core/bundle'
import { describe, expect, it } from 'vitest'
import { signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'
import { testReconciler } from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const minute = 60_000
const unreachable = new KernelError('SOURCE_UNREACHABLE', 'the folder is gone')

describe('a reconciler', () => {
  it('installs at the start, follows the source, and stops when it is told', async () => {
    const { kernel, source, start, pass, end, attempts } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    await pass(11_000)
    source.offer(signedBundle(2))
    await pass(11_000)
    expect(kernel.status().policy?.policyEpoch).toBe(2)
    expect(attempts.map(({ status }) => status.reconcile_status)).toEqual(['ok', 'no_change', 'ok'])
    end()
    source.offer(signedBundle(3))
    await pass(60_000)
    expect(kernel.status().policy?.policyEpoch).toBe(2)
  })

  it('says how a scope stands, in one object', async () => {
    const { start, source, wake, clock } = testReconciler()
    source.offer(signedBundle(4))
    await start()
    clock.advance(3_500)
    const status = await wake(unreachable)
    expect(status).toMatchObject({
      tenant_id: 'default',
      workspace_id: 'default',
      reconcile_status: 'source_error',
      reason_code: 'SOURCE_UNREACHABLE',
      snapshot_status: 'active',
      provenance: 'signed',
      installed_policy_epoch: 4,
      source: 'scripted',
      updated: false,
      last_attempt_at: '2026-11-22T06:00:03.500Z',
      last_verified_at: '2026-11-22T06:00:00.000Z',
      activated_at: '2026-11-22T06:00:00.000Z',
      age_seconds: 3,
      stale_in_seconds: 596,
      consecutive_failures: 1,
    })
    expect(status.reason).toBe(
      'the folder is gone: look at the settings of the policy source, and at what it has',
    )
    expect(status.next_poll_at).toMatch(/^2026-11-22T06:00:2[0-9]/)
  })

  it('asks a source whose bytes are installed for its head alone', async () => {
    const { source, start, wake } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    for (let i = 0; i < 5; i++) expect((await wake()).reconcile_status).toBe('no_change')
    expect(source.asked()).toMatchObject({ heads: 6, loads: 1 })
  })

  it('runs at most one attempt and lets one wait, however often it is woken', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    await Promise.all(Array.from({ length: 10_000 }, () => reconciler.wake(scope)))
    expect(source.asked()).toMatchObject({ heads: 3, most: 1 })
  })

  it('keeps the last good policy while the source fails, until it is too old', async () => {
    const { kernel, source, start, wake, pass } = testReconciler({ onInvalidUpdate: 'deny' })
    source.offer(signedBundle(1))
    await start()
    source.offer(unreachable)
    await pass(9.9 * minute)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    await pass(0.2 * minute)
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
    expect(await wake(signedBundle(1))).toMatchObject({ snapshot_status: 'active' })
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('stays fresh for as long as the source says the same', async () => {
    const { kernel, source, start, pass } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    for (let i = 0; i < 5; i++) await pass(4 * minute)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('cannot be kept stale by a source that hangs, nor by a machine that was suspended', async () => {
    const { kernel, source, start, wake, pass, clock } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    source.offer('hangs')
    await pass(11_000)
    await pass(10_000)
    const { reason_code, reason } = await Promise.race([wake(), pass(10_000).then(() => wake())])
    expect([reason_code, reason]).toEqual([
      'SOURCE_TIMEOUT',
      'the head did not come within 10 s: look at the disk or the network behind the policy source',
    ])
    clock.step('wall', 10 * minute)
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
    clock.step('wall', -30 * minute)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    clock.step('monotonic', 10 * minute)
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
  })

  it('polls a failing source less and less often, and a good one again as before', async () => {
    const { source, start, pass } = testReconciler()
    source.offer(unreachable)
    await start()
    for (let second = 0; second < 600; second++) await pass(1_000)
    const failing = source.asked().heads
    expect(failing).toBeGreaterThan(8)
    expect(failing).toBeLessThan(16)
    source.offer(signedBundle(1))
    for (let second = 0; second < 130; second++) await pass(1_000)
    expect(source.asked().heads - failing).toBeGreaterThan(6)
  })

  it('keeps the policy at a refused update, or denies when it is told to', async () => {
    const bad = { ...signedBundle(2), signature: signedBundle(3).signature }
    const keeping = testReconciler()
    keeping.source.offer(signedBundle(1))
    await keeping.start()
    expect(await keeping.wake(bad)).toMatchObject({
      reason_code: 'SIGNATURE_INVALID',
      snapshot_status: 'active',
    })
    expect(keeping.kernel.evaluate(read).verdict).toBe('ALLOW')

    const denying = testReconciler({ onInvalidUpdate: 'deny' })
    denying.source.offer(signedBundle(1))
    await denying.start()
    expect(await denying.wake(bad)).toMatchObject({ snapshot_status: 'invalid' })
    expect(denying.kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
    expect(await denying.wake(signedBundle(1))).toMatchObject({ snapshot_status: 'active' })
  })

  it('tells the source how each attempt ended, after it ended', async () => {
    const { source, start, wake } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    await wake({ ...signedBundle(2), signature: new Uint8Array() })
    expect(source.settledWith.map(({ reconcile_status }) => reconcile_status)).toEqual([
      'ok',
      'invalid',
    ])
  })
})

describe('a static source', () => {
  it('offers what it was given, for as long as it was', async () => {
    const source = staticSource(nobleCrypto)
    const { bytes, signature } = signedBundle(1)
    source.offer(scope, bytes, parseSignatures(signature))
    const { kernel, reconciler, start } = testReconciler({ source })
    await start()
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    source.remove(scope)
    await reconciler.wake()
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_WITHDRAWN')
  })

  it('names the scopes that it has, and says of another that there is nothing', async () => {
    const source = staticSource(nobleCrypto)
    const { bytes, signature } = signedBundle(1)
    const never = { aborted: false, addEventListener: noop, removeEventListener: noop }
    source.offer(scope, bytes, parseSignatures(signature))
    expect(await source.scopes(never)).toEqual([scope])
    expect(await source.head(scope, never)).toMatchObject({ scope, bundleRef: '' })
    source.remove(scope)
    expect(await source.scopes(never)).toEqual([])
    await expect(source.head(scope, never)).rejects.toMatchObject({
      code: 'SOURCE_EMPTY',
      message: 'there is no policy for default/default',
    })
  })
})

const noop = (): void => undefined
