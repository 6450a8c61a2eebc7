import {
  type Answer,
  encodeHex,
  KernelError,
  memoryStore,
  type ReceiptStore,
  Refused,
  type Statement,
} from '@helm-ai-kernel/core'
import { decodeEntry, saltedHash, verifyEntry } from '@helm-ai-kernel/core/receipt'
import { nobleCrypto, decodeHex } from '@helm-ai-kernel/core'
import { describe, expect, it, vi } from 'vitest'
import { kernelSigner, readyKernel, signedBundle, testKernel } from '../support/kernel.ts'

const read = { principal: 'agent:a', action: 'ticket.read', resource: 'ticket:1' }
const refund = { principal: 'agent:a', action: 'refund.create', args: { amount: 5 } }

function statementOf({ receipt }: Answer): Statement & { readonly kind: 'decision' } {
  const statement = receipt?.statement
  if (statement?.kind !== 'decision') throw new Error('no decision receipt')
  return statement
}

describe('decide', () => {
  it('answers each verdict with a signed receipt that says the same', async () => {
    const { kernel } = await readyKernel()
    const cases = [
      [read, 'ALLOW', 'ALLOWED_BY_RULE', ['allow-read']],
      [refund, 'ESCALATE', 'ESCALATED_BY_RULE', ['ask-refund']],
      [{ ...read, resource: 'secret:1' }, 'DENY', 'DENIED_BY_RULE', ['no-secrets']],
      [{ ...read, action: 'other' }, 'DENY', 'NO_MATCHING_RULE', []],
    ] as const
    for (const [request, verdict, reasonCode, ruleIds] of cases) {
      const answer = await kernel.decide(request)
      expect(answer.decision).toMatchObject({ verdict, reasonCode, ruleIds })
      const decoded = decodeEntry(answer.receipt?.entry ?? new Uint8Array())
      expect(verifyEntry(nobleCrypto, decoded, kernelSigner.publicKey)).toBe(true)
      expect(decoded.statement).toEqual(answer.receipt?.statement)
      expect(decoded.statement).toMatchObject({
        kind: 'decision',
        surface: 'embed',
        auth: { credential: '', method: 'embed' },
        principal: 'agent:a',
        action: request.action,
        verdict,
        reason_code: reasonCode,
        rule_ids: ruleIds,
        policy_epoch: 1,
        policy_signed: true,
        policy_verified_at: '2026-11-22T06:00:00.000Z',
      })
    }
  })

  it('hashes arguments under a salt that the answer gives', async () => {
    const { kernel } = await readyKernel()
    const answer = await kernel.decide(refund)
    const salt = decodeHex(answer.argsSalt ?? '', 16, 'salt')
    expect(statementOf(answer).args_hash).toBe(saltedHash(nobleCrypto, 'args', salt, { amount: 5 }))
    expect(statementOf(answer).args_hash).not.toBe(
      statementOf(await kernel.decide(refund)).args_hash,
    )
  })

  it('names in the receipt the resource that resources_from found', async () => {
    const { kernel } = testKernel()
    const rules = [{ id: 'r', effect: 'ALLOW', actions: ['a'], resources: ['order:*'] }]
    const { bytes, signature } = signedBundle(1, rules, { resources_from: { a: 'args.order' } })
    await kernel.install(bytes, signature)
    const answer = await kernel.decide({ principal: 'p', action: 'a', args: { order: 'order:7' } })
    expect(answer.decision.verdict).toBe('ALLOW')
    expect(statementOf(answer).resource).toBe('order:7')
  })

  it('chains receipts within the scope, the key receipt first in its own', async () => {
    const { kernel, store } = await readyKernel()
    await kernel.decide(read)
    await kernel.decide(read)
    const entries = await store.read(0, 10)
    expect(
      entries.map(({ statement }) => [statement.kind, statement.scope.tenant_id, statement.seq]),
    ).toEqual([
      ['key', 'helm', 1],
      ['activation', 'default', 1],
      ['decision', 'default', 2],
      ['decision', 'default', 3],
    ])
    expect(entries[3]?.statement.prev).toBe(entries[2]?.receiptId.replace('rcpt-', 'sha256:'))
  })

  it('without a policy is DENY, recorded with null policy members', async () => {
    const { kernel } = testKernel()
    const answer = await kernel.decide(read)
    expect(answer.decision).toMatchObject({ verdict: 'DENY', reasonCode: 'POLICY_NOT_READY' })
    expect(statementOf(answer)).toMatchObject({
      policy_epoch: null,
      policy_hash: null,
      policy_signed: null,
      policy_verified_at: null,
    })
  })

  it('knows no approval yet', async () => {
    const { kernel } = await readyKernel()
    const { decision } = await kernel.decide({ ...refund, approvalId: 'appr-1' })
    expect(decision).toMatchObject({ verdict: 'DENY', reasonCode: 'APPROVAL_UNKNOWN' })
  })

  it.each([
    [{ principal: '' }, 'principal'],
    [{ action: 'a\u0000' }, 'action'],
    [{ action: 'x'.repeat(257) }, 'action'],
    [{ resource: 'a\u202eb' }, 'resource'],
    [{ resource: 'é'.repeat(1025) }, 'resource'],
    [{ sessionId: '\ud800' }, 'session_id'],
    [{ args: [] }, 'args'],
    [{ args: { when: new Date(0) } }, 'args.when'],
    [{ context: 'text' }, 'context'],
    [{ minPolicyEpoch: 0 }, 'min_policy_epoch'],
    [{ tool: 'x' }, 'tool'],
  ])('refuses %j before anything is decided, naming the place', async (more, place) => {
    const { kernel, store } = await readyKernel()
    const { size } = await store.state()
    const asked = kernel.decide({ ...read, ...more })
    await expect(asked).rejects.toMatchObject({ code: 'REQUEST_MALFORMED', at: place })
    expect((await store.state()).size).toBe(size)
  })
})

describe('age and expiry', () => {
  const bundle = signedBundle(1, undefined, { expires_at: '2026-11-22T07:00:00.000Z' })
  const hour = 3_600_000

  it.each(['wall', 'monotonic'] as const)('pass when the %s clock alone says so', async (hand) => {
    const { kernel, clock } = testKernel()
    await kernel.install(bundle.bytes, bundle.signature)
    clock.step(hand, hour - 1)
    expect((await kernel.decide(read)).decision.verdict).toBe('ALLOW')
    clock.step(hand, 1)
    const answer = await kernel.decide(read)
    expect(answer.decision).toMatchObject({ verdict: 'DENY', reasonCode: 'POLICY_EXPIRED' })
    expect(statementOf(answer).policy_epoch).toBe(1)
    expect(kernel.status().status).toBe('expired')
  })

  it.each(['wall', 'monotonic'] as const)('make policy stale by the %s clock', async (hand) => {
    const { kernel, clock } = testKernel()
    await kernel.install(bundle.bytes, bundle.signature, { maxAge: 600_000 })
    clock.step(hand, 600_000)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    clock.step(hand, 1)
    expect(kernel.evaluate(read)).toMatchObject({ verdict: 'DENY', reasonCode: 'POLICY_STALE' })
    expect(kernel.status().status).toBe('stale')
  })

  it('are not undone by a wall clock that is set back', async () => {
    const { kernel, clock } = testKernel()
    await kernel.install(bundle.bytes, bundle.signature)
    clock.step('wall', hour)
    expect((await kernel.decide(read)).decision.reasonCode).toBe('POLICY_EXPIRED')
    clock.step('wall', -hour)
    // The newest receipt is of the later time, and time never falls below it.
    expect((await kernel.decide(read)).decision.reasonCode).toBe('POLICY_EXPIRED')
  })

  it('begin again when the same bundle is verified again', async () => {
    const { kernel, clock } = testKernel()
    await kernel.install(bundle.bytes, bundle.signature, { maxAge: 1000 })
    clock.advance(5000)
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_STALE')
    const again = await kernel.install(bundle.bytes, bundle.signature, { maxAge: 1000 })
    expect(again.status).toBe('no_change')
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })
})

describe('a scope that is closed', () => {
  it.each([
    ['withdrawn', 'POLICY_WITHDRAWN'],
    ['invalid', 'POLICY_INVALIDATED'],
  ] as const)('as %s denies until a full verification', async (status, reasonCode) => {
    const { kernel } = await readyKernel()
    await kernel.authority.close(kernel.scope, status)
    expect(kernel.evaluate(read)).toMatchObject({ verdict: 'DENY', reasonCode })
    const { bytes, signature } = signedBundle()
    expect((await kernel.install(bytes, signature)).status).toBe('resumed')
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })
})

describe('min_policy_epoch', () => {
  it('is waited for, and met by an install', async () => {
    const { kernel } = await readyKernel()
    const waiting = kernel.decide({ ...read, minPolicyEpoch: 2 })
    const { bytes, signature } = signedBundle(2)
    await kernel.install(bytes, signature)
    expect((await waiting).decision).toMatchObject({ verdict: 'ALLOW', policyEpoch: 2 })
  })

  it('is POLICY_BEHIND after a bounded wait', async () => {
    const { kernel, clock } = await readyKernel()
    const waiting = kernel.decide({ ...read, minPolicyEpoch: 2 })
    clock.advance(2000)
    expect((await waiting).decision).toMatchObject({ verdict: 'DENY', reasonCode: 'POLICY_BEHIND' })
  })

  it('that no install could bring is refused at once, and so are too many who wait', async () => {
    const { kernel, clock } = await readyKernel()
    const absurd = await kernel.decide({ ...read, minPolicyEpoch: 2 ** 40 })
    expect(absurd.decision.reasonCode).toBe('POLICY_BEHIND')
    const waiting = Array.from({ length: 64 }, () => kernel.decide({ ...read, minPolicyEpoch: 2 }))
    const oneMore = await kernel.decide({ ...read, minPolicyEpoch: 2 })
    expect(oneMore.decision.reasonCode).toBe('POLICY_BEHIND')
    clock.advance(2000)
    await Promise.all(waiting)
  })
})

describe('when the ledger cannot record', () => {
  function brokenStore(
    code: 'LEDGER_UNAVAILABLE' | 'LEDGER_FULL',
  ): ReceiptStore & { broken: boolean } {
    const store = memoryStore()
    return {
      ...store,
      broken: false,
      append(drafts, seal) {
        return this.broken
          ? Promise.reject(new KernelError(code, 'disk'))
          : store.append(drafts, seal)
      },
    }
  }

  it.each(['LEDGER_UNAVAILABLE', 'LEDGER_FULL'] as const)(
    'an ALLOW becomes DENY %s without a receipt',
    async (code) => {
      const store = brokenStore(code)
      const { kernel, warnings } = await readyKernel({ store })
      store.broken = true
      const answer = await kernel.decide(read)
      expect(answer.decision).toMatchObject({ verdict: 'DENY', reasonCode: code })
      expect(answer.receipt).toBeUndefined()
      expect(warnings).toHaveLength(1)
      store.broken = false
      expect((await kernel.decide(read)).decision.verdict).toBe('ALLOW')
    },
  )

  it('a guarded function does not run', async () => {
    const store = brokenStore('LEDGER_UNAVAILABLE')
    const { kernel } = await readyKernel({ store })
    const fn = vi.fn()
    store.broken = true
    await expect(kernel.guard(read, fn)({})).rejects.toBeInstanceOf(Refused)
    expect(fn).not.toHaveBeenCalled()
  })
})

describe('guard', () => {
  it('runs on ALLOW, with a frozen copy of the arguments, and records the outcome', async () => {
    const { kernel, store } = await readyKernel()
    const args = { id: 1, tags: ['a'] }
    const seen: unknown[] = []
    const wrapped = kernel.guard(read, (given: { id: number; tags: string[] }) => {
      seen.push(given)
      return { found: given.id }
    })
    const running = wrapped(args)
    args.id = 2
    args.tags.push('changed while it was decided')
    expect(await running).toEqual({ found: 1 })
    expect(seen).toEqual([{ id: 1, tags: ['a'] }])
    expect(Object.isFrozen((seen[0] as typeof args).tags)).toBe(true)
    const [decision, outcome] = (await store.read(2, 4)).map(({ statement }) => statement)
    expect(outcome).toMatchObject({ kind: 'outcome', status: 'ok', seq: (decision?.seq ?? 0) + 1 })
    expect((outcome as { output_hash?: string }).output_hash).toMatch(/^sha256:/)
  })

  it.each([
    [refund, 'ESCALATE'],
    [{ ...read, resource: 'secret:1' }, 'DENY'],
  ])('does not run on %j: it throws Refused with %s and the receipt', async (call, verdict) => {
    const { kernel } = await readyKernel()
    const fn = vi.fn()
    const { principal, action, resource } = { resource: '', ...call }
    const guarded = kernel.guard({ principal, action, resource }, fn)
    const refusal: unknown = await guarded({}).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(Refused)
    expect(refusal).toMatchObject({ decision: { verdict }, receipt: { logIndex: 2 } })
    expect(fn).not.toHaveBeenCalled()
  })

  it('passes on what the function throws, and records it as an error', async () => {
    const { kernel, store } = await readyKernel()
    const wrapped = kernel.guard(read, () => {
      throw new Error('the tool failed')
    })
    await expect(wrapped({})).rejects.toThrow('the tool failed')
    expect((await store.read(3, 4))[0]?.statement).toMatchObject({
      kind: 'outcome',
      status: 'error',
      output_hash: null,
    })
  })
})

describe('the key of the ledger', () => {
  it('that changed is refused, unless the host says that it may', async () => {
    const { store } = await readyKernel()
    const { signer } = await import('@helm-ai-kernel/core')
    const other = signer(new Uint8Array(32).fill(8))
    const refusing = testKernel({ store, signer: other })
    await expect(refusing.kernel.begin()).rejects.toMatchObject({ code: 'KEY_CHANGED' })
    const rotating = testKernel({ store, signer: other, onKeyChange: 'rotate' })
    await rotating.kernel.begin()
    expect((await store.read(2, 3))[0]?.statement).toMatchObject({
      kind: 'key',
      event: 'began',
      endorsed: false,
      public_key: encodeHex(other.publicKey),
    })
  })
})
