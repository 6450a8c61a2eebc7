import { KernelError, memoryStore } from '@helm-ai-kernel/core'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { signedBundle } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { scope } from '../support/policy.ts'
import { acme, badlySigned, testReconciler, turns, unreachable } from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const mebibyte = 1024 * 1024

describe('an attempt', () => {
  it('is of one of four kinds, which observers are told', async () => {
    const { source, start, wake, attempts, warnings } = testReconciler()
    source.offer(signedBundle(2))
    await start()
    await wake()
    await wake(unreachable)
    await wake(badlySigned(3))
    await wake({ ...signedBundle(3), signature: new Uint8Array() })
    expect(attempts.map(({ class: kind, status }) => [kind, status.reconcile_status])).toEqual([
      ['good', 'ok'],
      ['good', 'no_change'],
      ['unreachable', 'source_error'],
      ['hostile', 'invalid'],
      ['refused', 'invalid'],
    ])
    expect(warnings).toEqual([])
  })

  it('never takes the head of another scope for the one that was asked for', async () => {
    const { kernel, source, start, reconciler, store } = testReconciler()
    source.offer({ head: { scope: acme }, bundle: signedBundle(1) })
    await start()
    expect(reconciler.status(scope)).toMatchObject({
      reason_code: 'SCOPE_MISMATCH',
      reason:
        'the head is for acme/prod, asked for was default/default: ' +
        'build the bundle for the scope that it is delivered for',
    })
    expect(source.asked().loads).toBe(0)
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
    expect((await store.find({ scope, kind: 'rejection', limit: 10 })).receipts).toHaveLength(1)
  })

  it('holds the bundle to the epoch that its head names', async () => {
    const { source, start, reconciler, wake } = testReconciler()
    source.offer({ head: { policyEpoch: 2 }, bundle: signedBundle(1) })
    await start()
    expect(reconciler.status(scope)).toMatchObject({ reason_code: 'EPOCH_MISMATCH' })
    const right = { head: { policyEpoch: 1 }, bundle: signedBundle(1) }
    expect(await wake(right)).toMatchObject({ reconcile_status: 'ok' })
    expect(await wake(right)).toMatchObject({ reconcile_status: 'no_change' })
    expect(source.asked().loads).toBe(2)
  })

  it('that never brings the bytes is over after 30 s', async () => {
    const { source, start, reconciler, pass } = testReconciler({
      otherwise: { load: () => new Promise(() => undefined) },
    })
    source.offer(signedBundle(1))
    const started = start()
    await turns()
    await pass(29_999)
    expect(reconciler.status(scope)?.reason_code).toBe('POLICY_NOT_READY')
    await pass(1)
    await started
    expect(reconciler.status(scope)).toMatchObject({
      reason_code: 'SOURCE_TIMEOUT',
      reason:
        'the bundle did not come within 30 s: look at the disk or the network behind the policy source',
    })
  })

  it('is not asked of the kernel with more than 64 MiB', async () => {
    let length = 64 * mebibyte + 1
    const given: number[] = []
    const { kernel } = testReconciler()
    const install: typeof kernel.authority.install = async (bundle) => {
      given.push((await bundle).bytes.length)
      throw new KernelError('BUNDLE_MALFORMED', 'there is nothing in it')
    }
    const { source, start, reconciler, wake } = testReconciler({
      kernel: { status: kernel.status, authority: { ...kernel.authority, install } },
      otherwise: { load: async () => new Uint8Array(length) },
    })
    source.offer(signedBundle(1))
    await start()
    expect(reconciler.status(scope)).toMatchObject({
      reason_code: 'SOURCE_TOO_LARGE',
      reason: expect.stringContaining('a bundle is at most 64 MiB') as string,
    })
    length--
    expect(await wake()).toMatchObject({ reason_code: 'BUNDLE_MALFORMED' })
    expect(given).toEqual([64 * mebibyte])
  })

  it('that fails for a cause of its own says so to operators, and what it was to the log', async () => {
    const { source, start, reconciler, warnings, attempts } = testReconciler()
    source.offer(new Error('/var/secret/policy: EACCES'))
    await start()
    expect(reconciler.status(scope)).toMatchObject({
      reconcile_status: 'source_error',
      reason_code: 'INTERNAL',
      reason:
        'the attempt failed for a cause of its own: ' +
        'look into the log, and at the other reasons of /readyz',
    })
    expect(warnings).toEqual(['the policy source failed: /var/secret/policy: EACCES'])
    expect(attempts.map(({ class: kind }) => kind)).toEqual(['unreachable'])
  })

  it('is none the worse for a source that fails when it is told the outcome', async () => {
    const { kernel, source, start, warnings, attempts } = testReconciler({
      otherwise: {
        settled: () => {
          throw new Error('the object is gone')
        },
      },
    })
    source.offer(signedBundle(1))
    await start()
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(attempts).toHaveLength(1)
    expect(warnings).toEqual([
      'the policy source failed when it was told the outcome: the object is gone',
    ])
  })

  it('after many wakes is followed by one poll, not by one for each', async () => {
    const { source, start, wake, pass } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    for (let i = 0; i < 5; i++) await wake()
    await pass(11_000)
    expect(source.asked().heads).toBe(7)
  })
})

describe('a policy that is closed', () => {
  it('denies also when the disk does not forget it, and that is said', async () => {
    const keep = {
      ...fileKeep(memoryDisk()),
      remove: async () => {
        throw new Error('EROFS: read-only file system')
      },
    }
    const { kernel, source, start, wake, warnings } = testReconciler(
      { onInvalidUpdate: 'deny' },
      { keep },
    )
    source.offer(signedBundle(1))
    await start()
    await wake(badlySigned(2))
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
    expect(warnings).toEqual(['EROFS: read-only file system'])
  })
})

describe('a reconciler that nobody listens to', () => {
  it('goes on whatever fails', async () => {
    const inner = { keep: fileKeep(memoryDisk()), store: memoryStore() }
    const first = testReconciler({}, inner)
    first.source.offer(signedBundle(1))
    await first.start()

    let fails = false
    const failing = (): void => {
      if (fails) throw new KernelError('LEDGER_UNAVAILABLE', 'EIO: i/o error')
    }
    const { kernel, source, start, wake, reconciler } = testReconciler(
      {
        unheard: true,
        onInvalidUpdate: 'deny',
        otherwise: {
          settled: () => {
            throw new Error('the object is gone')
          },
        },
      },
      {
        keep: {
          ...inner.keep,
          list: async (prefix) => {
            failing()
            return inner.keep.list(prefix)
          },
          get: async (name) => {
            failing()
            return inner.keep.get(name)
          },
          remove: async () => failing(),
        },
        store: {
          ...inner.store,
          append: async (drafts, seal) => {
            failing()
            return inner.store.append(drafts, seal)
          },
        },
      },
    )
    source.offer(signedBundle(1))
    source.list(unreachable)
    fails = true
    await start()
    await turns()
    expect(reconciler.listingFault()).toBe(unreachable)
    fails = false
    expect(await wake(signedBundle(1))).toMatchObject({ snapshot_status: 'active' })
    fails = true
    expect(await wake(badlySigned(2))).toMatchObject({ snapshot_status: 'invalid' })
    expect(await wake(new Error('EACCES'))).toMatchObject({ reason_code: 'INTERNAL' })
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
  })

  it('restores what was kept, when nobody wants to be told of it', async () => {
    const kept = { keep: fileKeep(memoryDisk()), store: memoryStore() }
    const first = testReconciler({}, kept)
    first.source.offer(signedBundle(1))
    await first.start()
    const { kernel, source, start, warnings } = testReconciler({}, kept)
    source.offer(unreachable)
    await start()
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(warnings).toEqual([])
  })
})
