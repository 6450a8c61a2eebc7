import { KernelError, memoryStore, noTrust } from '@helm-ai-kernel/core'
import { parseSignatures } from '@helm-ai-kernel/core/bundle'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { signedBundle, testKernel } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { now, scope } from '../support/policy.ts'
import { testReconciler } from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const minute = 60_000
const down = new KernelError('SOURCE_UNREACHABLE', 'the source is down')

/** What outlives a process. */
function durable() {
  return { store: memoryStore(), keep: fileKeep(memoryDisk()) }
}

/** A life of a kernel whose source offers this, and whose clock stands so long after the start. */
function life(kept: ReturnType<typeof durable>, after = 0) {
  const made = testReconciler({}, kept)
  made.clock.advance(after)
  return made
}

describe('a restart with the source down', () => {
  it('comes up on the last policy, with its age', async () => {
    const kept = durable()
    const first = life(kept)
    first.source.offer(signedBundle(3))
    await first.start()

    const second = life(kept, 4 * minute)
    second.source.offer(down)
    await second.start()
    expect(second.kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(second.reconciler.status(scope)).toMatchObject({
      reason_code: 'SOURCE_UNREACHABLE',
      snapshot_status: 'active',
      installed_policy_epoch: 3,
      age_seconds: 240,
      stale_in_seconds: 360,
      activated_at: '2026-11-22T06:00:00.000Z',
      last_verified_at: '2026-11-22T06:00:00.000Z',
    })
    second.clock.advance(6 * minute + 1)
    expect(second.kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
  })

  it('does not make policy younger, however often it happens', async () => {
    const kept = durable()
    const first = life(kept)
    first.source.offer(signedBundle(1))
    await first.start()
    for (const minutes of [3, 6, 9]) {
      const next = life(kept, minutes * minute)
      next.source.offer(down)
      await next.start()
      expect(next.reconciler.status(scope)?.age_seconds).toBe(minutes * 60)
    }
    const late = life(kept, 11 * minute)
    late.source.offer(down)
    await late.start()
    expect(late.kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
  })

  it('keeps an age that lags by a minute at most while the source confirms', async () => {
    const kept = durable()
    const first = life(kept)
    first.source.offer(signedBundle(1))
    await first.start()
    for (let i = 0; i < 60; i++) await first.pass(11_000)
    const second = life(kept, 660_000)
    second.source.offer(down)
    await second.start()
    expect(second.reconciler.status(scope)?.age_seconds).toBeLessThanOrEqual(71)
  })

  it('does not trust an age from the future', async () => {
    const kept = durable()
    const first = life(kept, 10 * minute)
    first.source.offer(signedBundle(1))
    await first.start()
    const lost = { ...kept, store: memoryStore() }
    const second = life(lost)
    second.source.offer(down)
    await second.start()
    expect(second.kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
  })

  it('verifies what was kept again: bytes that were changed on the disk are not used', async () => {
    const disk = memoryDisk()
    const kept = { store: memoryStore(), keep: fileKeep(disk) }
    const first = life(kept)
    first.source.offer(signedBundle(1))
    await first.start()
    const [name = ''] = await kept.keep.list('policies/')
    const bytes = (await kept.keep.get(name)) ?? new Uint8Array()
    await kept.keep.put(
      name,
      bytes.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
    )
    const second = life(kept)
    second.source.offer(down)
    await second.start()
    expect(second.kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
    expect(second.warnings.join()).toContain('the kept policy of default/default is not used')
  })

  it('does not bring back what was withdrawn, or invalidated', async () => {
    for (const how of ['withdrawn', 'invalid'] as const) {
      const kept = durable()
      const first = life(kept)
      first.source.offer(signedBundle(1))
      await first.start()
      await first.kernel.authority.close(scope, how)
      const second = life(kept)
      second.source.offer(down)
      await second.start()
      expect(second.kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
    }
  })

  it('does not bring back signed policy to a kernel that has no key any more', async () => {
    const kept = durable()
    const first = life(kept)
    first.source.offer(signedBundle(1))
    await first.start()
    const second = testReconciler({}, { ...kept, trust: noTrust })
    second.source.offer(down)
    await second.start()
    expect(second.kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
    expect(second.warnings.join()).toContain('this scope had signed policy')
  })
})

describe('a restart with an older bundle at the source', () => {
  it('stays on the kept one and refuses the older, also when the ledger was lost', async () => {
    for (const lost of [false, true]) {
      const kept = durable()
      const first = life(kept)
      first.source.offer(signedBundle(5))
      await first.start()
      const second = life(lost ? { ...kept, store: memoryStore() } : kept)
      second.source.offer(signedBundle(4))
      await second.start()
      expect(second.reconciler.status(scope)).toMatchObject({
        reason_code: 'EPOCH_ROLLBACK',
        snapshot_status: 'active',
        installed_policy_epoch: 5,
      })
    }
  })

  it('refuses it also when nothing was kept but the ledger', async () => {
    const { store } = durable()
    const first = testReconciler({}, { store })
    first.source.offer(signedBundle(5))
    await first.start()
    const second = testReconciler({}, { store })
    second.source.offer(signedBundle(4))
    await second.start()
    expect(second.reconciler.status(scope)).toMatchObject({
      reason_code: 'EPOCH_ROLLBACK',
      snapshot_status: 'no_policy',
    })
  })
})

describe('a disk that keeps nothing', () => {
  it('lets no policy in that a restart would not find, and confirms what is in', async () => {
    let isFull = false
    const inner = fileKeep(memoryDisk())
    const keep = {
      ...inner,
      put: async (name: string, bytes: Uint8Array) => {
        if (isFull) throw new Error('ENOSPC: no space left on device')
        await inner.put(name, bytes)
      },
    }
    const { kernel, source, start, wake, pass } = testReconciler({}, { keep })
    source.offer(signedBundle(1))
    await start()
    isFull = true
    expect(await wake(signedBundle(2))).toMatchObject({
      reconcile_status: 'source_error',
      reason_code: 'LEDGER_UNAVAILABLE',
      installed_policy_epoch: 1,
    })
    source.offer(signedBundle(1))
    await pass(2 * minute)
    expect((await wake()).reconcile_status).toBe('no_change')
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })
})

describe('kept files', () => {
  it('of an update that the disk has no room for leave the policy before it as it was', async () => {
    let isFull = false
    const inner = fileKeep(memoryDisk())
    const keep = {
      ...inner,
      put: async (name: string, bytes: Uint8Array) => {
        if (isFull && name.endsWith('.bundle')) throw new Error('ENOSPC: no space left on device')
        await inner.put(name, bytes)
      },
    }
    const kept = { store: memoryStore(), keep }
    const first = life(kept)
    first.source.offer(signedBundle(1))
    await first.start()
    isFull = true
    expect(await first.wake(signedBundle(2))).toMatchObject({ reason_code: 'LEDGER_UNAVAILABLE' })
    const second = life(kept)
    second.source.offer(down)
    await second.start()
    expect(second.kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('of somebody else hide no scope', async () => {
    const kept = durable()
    const { bytes, signature } = signedBundle(1)
    await testKernel(kept).kernel.install(bytes, signature)
    await kept.keep.put('policy/a b~c.json', new Uint8Array())
    expect(await testKernel(kept).kernel.authority.kept()).toEqual([scope])
  })

  it('have no place for two signatures without key ids, so none are taken', async () => {
    const { bytes, signature } = signedBundle(1)
    const [bare] = parseSignatures(signature)
    if (bare === undefined) throw new Error('no signature')
    await expect(testKernel().kernel.install(bytes, [bare, bare])).rejects.toThrow(
      'needs its key_id',
    )
  })
})

describe('an embedder that installs by itself', () => {
  it('finds kept policy by name, and restores it when it asks', async () => {
    const kept = durable()
    const first = testKernel(kept)
    const { bytes, signature } = signedBundle(1)
    await first.kernel.install(bytes, signature)
    const second = testKernel(kept)
    expect(await second.kernel.authority.kept()).toEqual([scope])
    expect(await second.kernel.authority.restore(scope, Infinity)).toMatchObject({
      status: 'resumed',
      policyEpoch: 1,
    })
    expect(second.kernel.status().policy?.verifiedAt).toBe(now)
  })
})
