import { digest, nobleCrypto, noTrust } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'
import {
  acme,
  badlySigned,
  forAcme,
  testReconciler,
  turns,
  unreachable,
} from '../support/reconcile.ts'

const minute = 60_000
const hashOf = ({ bytes }: { readonly bytes: Uint8Array }) => digest(nobleCrypto, bytes)

describe('the status of a scope', () => {
  it('says before the start that nobody was asked yet, and of others nothing', () => {
    const { reconciler } = testReconciler()
    expect(reconciler.status(scope)).toMatchObject({
      reconcile_status: 'source_error',
      reason_code: 'POLICY_NOT_READY',
      snapshot_status: 'no_policy',
      last_attempt_at: null,
      next_poll_at: null,
    })
    expect(reconciler.statuses()).toHaveLength(1)
    expect(reconciler.status(acme)).toBeUndefined()
  })

  it('is that of no policy while nothing came', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(unreachable)
    await start()
    const status = reconciler.status(scope)
    expect(status).toMatchObject({
      snapshot_status: 'no_policy',
      provenance: null,
      reason_code: 'SOURCE_UNREACHABLE',
      last_attempt_at: '2026-11-22T06:00:00.000Z',
      last_verified_at: null,
      age_seconds: null,
      consecutive_failures: 1,
    })
    for (const absent of [
      'installed_policy_epoch',
      'installed_policy_hash',
      'desired_policy_epoch',
      'desired_policy_hash',
      'bundle_ref',
      'activated_at',
      'stale_in_seconds',
      'expires_at',
    ]) {
      expect(status).not.toHaveProperty(absent)
    }
  })

  it('after a good attempt names one policy twice: as desired, and as installed', async () => {
    const { source, start, reconciler, wake } = testReconciler()
    const bundle = signedBundle(4)
    source.offer({ head: { policyEpoch: 4 }, bundle })
    await start()
    const status = reconciler.status(scope)
    expect(status).toMatchObject({
      reconcile_status: 'ok',
      updated: true,
      installed_policy_epoch: 4,
      installed_policy_hash: hashOf(bundle),
      desired_policy_epoch: 4,
      desired_policy_hash: hashOf(bundle),
      bundle_ref: 'ref',
      consecutive_failures: 0,
    })
    expect(status).not.toHaveProperty('reason_code')
    expect(status).not.toHaveProperty('reason')
    expect(status).not.toHaveProperty('expires_at')
    expect(Object.isFrozen(status)).toBe(true)
    expect(await wake()).toMatchObject({ reconcile_status: 'no_change', updated: false })
  })

  it('after a refused one names both, and after one that found no head the installed alone', async () => {
    const { source, start, wake } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    const refused = await wake(badlySigned(2))
    expect(refused).toMatchObject({
      updated: false,
      installed_policy_hash: hashOf(signedBundle(1)),
      desired_policy_hash: hashOf(badlySigned(2)),
    })
    // The head of a file names no epoch: it is not parsed before its signature is good.
    expect(refused).not.toHaveProperty('desired_policy_epoch')
    const away = await wake(unreachable)
    expect(away).toMatchObject({ installed_policy_epoch: 1 })
    expect(away).not.toHaveProperty('desired_policy_hash')
    expect(away).not.toHaveProperty('bundle_ref')
  })

  it('counts whole seconds down to stale, and stays at 0', async () => {
    const { source, start, reconciler, clock } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    const ages = () => {
      const { snapshot_status, age_seconds, stale_in_seconds } = reconciler.status(scope) ?? {}
      return [snapshot_status, age_seconds, stale_in_seconds]
    }
    expect(ages()).toEqual(['active', 0, 600])
    clock.step('wall', 1_999)
    expect(ages()).toEqual(['active', 1, 598])
    clock.step('wall', 10 * minute - 1_999)
    expect(ages()[2]).toBe(0)
    clock.step('wall', minute)
    expect(ages()).toEqual(['stale', 660, 0])
  })

  it('says when the bundle expires, and that it never is stale where no age ends it', async () => {
    const { source, start, reconciler } = testReconciler({ maxAge: Infinity })
    source.offer(
      signedBundle(1, undefined, {
        issued_at: '2026-11-22T06:00:00.000Z',
        expires_at: '2026-11-23T06:00:00.000Z',
      }),
    )
    await start()
    expect(reconciler.status(scope)).toMatchObject({ expires_at: '2026-11-23T06:00:00.000Z' })
    expect(reconciler.status(scope)).not.toHaveProperty('stale_in_seconds')
  })

  it('says that policy is unsigned', async () => {
    const { source, start, reconciler } = testReconciler({}, { trust: noTrust })
    source.offer({ bytes: signedBundle(1).bytes, signature: new Uint8Array() })
    await start()
    expect(reconciler.status(scope)).toMatchObject({ provenance: 'unsigned' })
  })

  it('stands beside the others by name', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await turns()
    expect(
      reconciler.statuses().map(({ tenant_id, workspace_id }) => `${tenant_id}/${workspace_id}`),
    ).toEqual(['acme/prod', 'default/default'])
  })
})
