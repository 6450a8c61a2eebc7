import { digest, nobleCrypto, noTrust } from '@helm-ai-kernel/core'
import { parseSignatures, signBundle } from '@helm-ai-kernel/core/bundle'
import { describe, expect, it } from 'vitest'
import { finish } from '../../packages/core/src/bytes/finish.ts'
import { deliverSliced } from '../../packages/core/src/kernel/delivery.ts'
import { policySigner, signedBundle, testKernel } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'
import { refusal } from '../support/refusal.ts'

const { bytes, signature } = signedBundle()
const mebibyte = 1024 * 1024

describe('a delivery', () => {
  it.each([
    ['the bytes of a signature file', signature],
    ['its text', new TextDecoder().decode(signature)],
    ['signatures that were read before', parseSignatures(signature)],
    ['a signature that was just made', [signBundle(bytes, policySigner)]],
  ])('is taken with %s', async (_what, given) => {
    const { kernel } = testKernel()
    expect(await kernel.install(bytes, given)).toMatchObject({ status: 'activated', scope })
    expect(kernel.status().policy?.provenance).toBe('signed')
  })

  it('is taken without signatures where none is needed, as bytes of its own', () => {
    const delivered = finish(deliverSliced(bytes, undefined, {}))
    expect(delivered).toEqual({ bytes, signatures: [], policyHash: undefined })
    expect(delivered.bytes).not.toBe(bytes)
  })

  it('is whole, however many slices it has', () => {
    const long = new Uint8Array(2 * mebibyte + 3).map((_, i) => i % 251)
    const steps = deliverSliced(long, undefined, {})
    let pauses = 0
    let step = steps.next()
    for (; step.done !== true; step = steps.next()) pauses++
    expect(pauses).toBe(3)
    expect(nobleCrypto.sha256(step.value.bytes)).toEqual(nobleCrypto.sha256(long))
  })

  it('has at most 64 MiB', () => {
    const most = new Uint8Array(64 * mebibyte + 1)
    expect(refusal(() => finish(deliverSliced(most, undefined, {})))).toMatchObject({
      code: 'SOURCE_TOO_LARGE',
      message: 'a bundle is at most 64 MiB',
    })
    expect(finish(deliverSliced(most.subarray(1), undefined, {})).bytes).toHaveLength(64 * mebibyte)
  })

  it('must hash to what its head names', async () => {
    const { kernel } = testKernel()
    const policyHash = digest(nobleCrypto, signature)
    await expect(kernel.install(bytes, signature, { policyHash })).rejects.toMatchObject({
      code: 'HASH_MISMATCH',
    })
  })

  it('to no scope is for none', async () => {
    const { kernel } = testKernel()
    const bundle = { bytes, signatures: parseSignatures(signature), policyHash: undefined }
    await expect(kernel.authority.install(bundle, {})).rejects.toMatchObject({
      code: 'SCOPE_MISMATCH',
      message: 'no scope is named',
    })
  })
})

describe('where a policy came from', () => {
  const longest = { source: 's'.repeat(256), bundleRef: 'r'.repeat(2048) }

  it('stands in its activation, as far as a receipt may hold it', async () => {
    const { kernel, store } = testKernel()
    await kernel.install(bytes, signature, longest)
    const second = signedBundle(2)
    await kernel.install(second.bytes, second.signature)
    const { receipts } = await store.find({ scope, kind: 'activation', limit: 10 })
    const { policyHash } = await kernel.install(second.bytes, second.signature)
    expect(receipts.map(({ statement }) => statement)).toMatchObject([
      { source: longest.source, bundle_ref: longest.bundleRef, previous_hash: null },
      {
        source: 'install',
        bundle_ref: '',
        policy_hash: policyHash,
        previous_hash: digest(nobleCrypto, bytes),
      },
    ])
  })

  it.each([{ source: `${longest.source}s` }, { bundleRef: `${longest.bundleRef}r` }])(
    'is refused when it is longer',
    async (more) => {
      const { kernel, store } = testKernel()
      await expect(kernel.install(bytes, signature, { ...longest, ...more })).rejects.toMatchObject(
        {
          code: 'HEAD_MALFORMED',
        },
      )
      expect((await store.find({ scope, kind: 'activation', limit: 1 })).receipts).toEqual([])
    },
  )
})

describe('what a kernel expects of every delivery', () => {
  const timed = signedBundle(1, undefined, {
    issued_at: '2026-11-22T05:00:00.000Z',
    expires_at: '2026-11-22T06:00:00.000Z',
  })
  const long = signedBundle(1, undefined, {
    issued_at: '2026-11-22T06:00:00.000Z',
    expires_at: '2026-11-22T08:00:00.000Z',
  })

  it.each([
    ['that it has not expired', {}, timed, 'BUNDLE_EXPIRED'],
    ['its own audience', { audience: 'eu' }, signedBundle(), 'AUDIENCE_MISMATCH'],
    ['both times', { maxLifetime: 3_600_000 }, signedBundle(), 'EXPIRY_MISSING'],
    ['a life that is short enough', { maxLifetime: 3_600_000 }, long, 'LIFETIME_TOO_LONG'],
    [
      'a signature, when there is a key',
      {},
      { ...signedBundle(), signature: [] },
      'SIGNATURE_MISSING',
    ],
    [
      'a signature, when one is demanded',
      { trust: noTrust, signatureRequired: true },
      signedBundle(),
      'TRUST_KEY_MISSING',
    ],
  ])('is %s', async (_what, options, bundle, code) => {
    const { kernel } = testKernel(options)
    await expect(kernel.install(bundle.bytes, bundle.signature)).rejects.toMatchObject({ code })
    expect(kernel.status().status).toBe('no_policy')
  })

  it('is the epoch that its head names', async () => {
    const { kernel } = testKernel()
    await expect(kernel.install(bytes, signature, { policyEpoch: 2 })).rejects.toMatchObject({
      code: 'EPOCH_MISMATCH',
    })
    await kernel.install(bytes, signature, { policyEpoch: 1 })
    // Also of what is installed already.
    await expect(kernel.install(bytes, signature, { policyEpoch: 2 })).rejects.toMatchObject({
      code: 'EPOCH_MISMATCH',
    })
  })
})
