import { digest, KernelError, nobleCrypto as crypto, type PolicySource } from '@helm-ai-kernel/core'
import { parseSignatures } from '@helm-ai-kernel/core/bundle'
import { createLog, parseConfiguration } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { createReconciler } from '../../packages/host/src/reconcile.ts'
import { type SignedBundle, signedBundle, testKernel } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const minute = 60_000

/** What the source does when it is asked. */
type Offer = SignedBundle | KernelError | 'hangs'

function setUp(first: Offer, environment: Record<string, string> = {}) {
  let offer = first
  const source: PolicySource = {
    scopes: async () => [scope],
    async head() {
      if (offer === 'hangs') return new Promise(() => undefined)
      if (offer instanceof KernelError) throw offer
      const policyHash = digest(crypto, offer.bytes)
      return { scope, policyEpoch: undefined, policyHash, bundleRef: '', signatures: [] }
    },
    async load() {
      if (offer === 'hangs' || offer instanceof KernelError) throw new Error('no head was given')
      const { bytes, signature } = offer
      return { bytes, signatures: parseSignatures(signature), bundleRef: 'ref' }
    },
  }
  const { kernel, clock } = testKernel()
  const lines: { message: string; code?: string }[] = []
  const log = createLog({
    level: 'info',
    format: 'json',
    clock,
    write: (line) => lines.push(JSON.parse(line) as { message: string }),
  })
  const { configuration } = parseConfiguration({ environment, sources: ['mountedFile'] })
  const options = { kernel, source, sourceName: 'test', configuration, clock, log }
  const reconciler = createReconciler(options)
  const ended = new AbortController()
  return {
    kernel,
    reconciler,
    lines: () =>
      lines.map(({ message, code }) => (code === undefined ? message : `${message}: ${code}`)),
    start: () => reconciler.start(ended.signal),
    end: () => ended.abort(),
    poll: async (next: Offer = offer, ms = 10_000) => {
      offer = next
      clock.advance(ms)
      await turns()
    },
    advance: (ms: number) => clock.advance(ms),
  }
}

/** Lets everything that can go on go on. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

const unreachable = new KernelError('SOURCE_UNREACHABLE', 'the folder is gone')

describe('the reconciler', () => {
  it('installs at the start, follows the source, and says each change once', async () => {
    const { kernel, start, poll, lines, end } = setUp(signedBundle(1))
    await start()
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    await poll()
    await poll(signedBundle(2))
    await poll()
    expect(kernel.status().policy?.policyEpoch).toBe(2)
    expect(lines()).toEqual(['policy activated', 'policy activated'])
    end()
    await poll(signedBundle(3))
    expect(kernel.status().policy?.policyEpoch).toBe(2)
  })

  it('keeps the last good policy while the source fails, until it is too old', async () => {
    const { kernel, reconciler, start, poll, lines } = setUp(signedBundle(1), {
      HELM_POLICY_ON_INVALID_UPDATE: 'deny',
    })
    await start()
    await poll(unreachable)
    await poll(unreachable)
    expect(reconciler.failure()).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      reason: 'the folder is gone',
    })
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    await poll(unreachable, 10 * minute)
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
    await poll(signedBundle(1))
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(reconciler.failure()).toBeUndefined()
    expect(lines()).toEqual([
      'policy activated',
      'policy not updated, the installed one stays: SOURCE_UNREACHABLE',
      'policy source is good again',
    ])
  })

  it('stays fresh for as long as the source says the same', async () => {
    const { kernel, start, poll } = setUp(signedBundle(1))
    await start()
    for (let i = 0; i < 5; i++) await poll(undefined, 4 * minute)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('does not wait for ever for a source that hangs', async () => {
    const { kernel, reconciler, start, advance } = setUp('hangs')
    const first = start()
    await turns()
    advance(10_000)
    await first
    expect(reconciler.failure()?.code).toBe('SOURCE_TIMEOUT')
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
  })

  it('keeps the policy at a refused update, or denies when it is told to', async () => {
    const bad = { ...signedBundle(2), signature: signedBundle(3).signature }
    const keeping = setUp(signedBundle(1))
    await keeping.start()
    await keeping.poll(bad)
    expect(keeping.reconciler.failure()?.code).toBe('SIGNATURE_INVALID')
    expect(keeping.kernel.evaluate(read).verdict).toBe('ALLOW')

    const denying = setUp(signedBundle(1), { HELM_POLICY_ON_INVALID_UPDATE: 'deny' })
    await denying.start()
    await denying.poll(bad)
    expect(denying.kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
    await denying.poll(signedBundle(1))
    expect(denying.kernel.evaluate(read).verdict).toBe('ALLOW')
  })
})
