import {
  type Json,
  type KernelOptions,
  memoryStore,
  noTrust,
  parseTrustRoot,
  canonicalBytes,
  encodeHex,
  nobleCrypto,
} from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { policySigner, readyKernel, signedBundle, testKernel } from '../support/kernel.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const other: readonly Json[] = [{ id: 'other', effect: 'ALLOW', actions: ['other'] }]

async function install(
  kernel: ReturnType<typeof testKernel>['kernel'],
  { bytes, signature }: ReturnType<typeof signedBundle>,
): Promise<string> {
  return (await kernel.install(bytes, signature)).status
}

describe('install', () => {
  it('activates, writes an activation receipt, and decides by it at once', async () => {
    const { kernel, store } = testKernel()
    expect(await install(kernel, signedBundle())).toBe('activated')
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect((await store.read(1, 2))[0]?.statement).toMatchObject({
      kind: 'activation',
      policy_epoch: 1,
      signed: true,
      key_ids: [policySigner.keyId],
      previous_epoch: null,
    })
    expect(await install(kernel, signedBundle(2))).toBe('activated')
    expect((await store.read(2, 3))[0]?.statement).toMatchObject({
      policy_epoch: 2,
      previous_epoch: 1,
    })
  })

  it('of what is installed changes nothing and writes nothing', async () => {
    const { kernel, store } = await readyKernel()
    expect(await install(kernel, signedBundle())).toBe('no_change')
    expect((await store.state()).size).toBe(2)
  })

  it('after a restart resumes without a second activation', async () => {
    const { store } = await readyKernel()
    const { kernel } = testKernel({ store })
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
    expect(await install(kernel, signedBundle())).toBe('resumed')
    expect((await store.state()).size).toBe(2)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it.each<[what: string, make: () => ReturnType<typeof signedBundle>, code: string]>([
    ['below the floor', () => signedBundle(1), 'EPOCH_ROLLBACK'],
    ['at the floor with other bytes', () => signedBundle(5, other), 'EPOCH_EQUIVOCATION'],
    ['too far above the floor', () => signedBundle(5 + 2 ** 32 + 1), 'EPOCH_JUMP'],
    [
      'whose own test fails',
      () =>
        signedBundle(6, undefined, {
          tests: [
            {
              name: 'reads',
              request: { principal: 'p', action: 'x' },
              expect: { verdict: 'ALLOW' },
            },
          ],
        }),
      'SELF_TEST_FAILED',
    ],
    [
      'whose condition does not compile',
      () => signedBundle(6, [{ id: 'r', effect: 'DENY', actions: ['a'], when: { all: [] } }]),
      'COMPILE_FAILED',
    ],
    [
      'without its signature',
      () => ({ ...signedBundle(6), signature: new Uint8Array() }),
      'SIGNATURE_INVALID',
    ],
    [
      'with the signature of another',
      () => ({ ...signedBundle(6), signature: signedBundle(7).signature }),
      'SIGNATURE_INVALID',
    ],
  ])('refuses a bundle %s, and leaves all as it was', async (_what, make, code) => {
    const { kernel, store } = testKernel()
    await install(kernel, signedBundle(5))
    const before = kernel.status()
    await expect(install(kernel, make())).rejects.toMatchObject({ code })
    expect(kernel.status()).toEqual(before)
    expect((await store.state()).size).toBe(2)
    expect(kernel.evaluate(read)).toMatchObject({ verdict: 'ALLOW', policyEpoch: 5 })
  })

  it('holds a restart to the floor, though nothing is installed', async () => {
    const { kernel: first, store } = testKernel()
    await install(first, signedBundle(5))
    const { kernel } = testKernel({ store })
    await expect(install(kernel, signedBundle(4))).rejects.toMatchObject({ code: 'EPOCH_ROLLBACK' })
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_NOT_READY')
  })

  it('holds a scope to the floor of the trust root', async () => {
    const trust = parseTrustRoot(
      canonicalBytes({
        type: 'helm.trust-root/v1',
        version: 1,
        threshold: 1,
        keys: [
          {
            key_id: policySigner.keyId,
            public_key: encodeHex(policySigner.publicKey),
            scopes: ['default/*'],
          },
        ],
        epoch_floor: { 'default/default': 3 },
      }),
      nobleCrypto,
    )
    const { kernel } = testKernel({ trust })
    await expect(install(kernel, signedBundle(2))).rejects.toMatchObject({ code: 'EPOCH_ROLLBACK' })
    expect(await install(kernel, signedBundle(3))).toBe('activated')
  })

  it('takes unsigned policy when no key is configured, and never again after signed policy', async () => {
    const store = memoryStore()
    const unsigned: Partial<KernelOptions> = { store, trust: noTrust }
    const { bytes } = signedBundle(9)
    const { kernel } = testKernel(unsigned)
    await kernel.install(bytes)
    expect(kernel.status().policy).toMatchObject({ provenance: 'unsigned', policyEpoch: 9 })
    // Unsigned epochs have no authority: signed policy begins where it likes.
    await install(testKernel({ store }).kernel, signedBundle(2))
    await expect(testKernel(unsigned).kernel.install(signedBundle(10).bytes)).rejects.toMatchObject(
      {
        code: 'SIGNATURE_MISSING',
      },
    )
  })

  it('refuses unsigned policy when signatures are required and no key is there', async () => {
    const { kernel } = testKernel({ trust: noTrust, signatureRequired: true })
    await expect(kernel.install(signedBundle().bytes)).rejects.toMatchObject({
      code: 'TRUST_KEY_MISSING',
    })
  })

  it('cannot be fooled by bytes that change while it runs', async () => {
    const { kernel } = testKernel()
    const { bytes, signature } = signedBundle()
    const installing = kernel.install(bytes, signature)
    bytes.fill(0)
    expect((await installing).status).toBe('activated')
  })

  it('runs one at a time for a scope, in the order asked', async () => {
    const { kernel } = testKernel()
    const results = await Promise.allSettled(
      [1, 2, 3, 2].map((epoch) => install(kernel, signedBundle(epoch))),
    )
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    expect(kernel.status().policy?.policyEpoch).toBe(3)
  })

  it('never lets a decision mix policies, nor an older one follow a newer activation', async () => {
    const { kernel, store } = await readyKernel()
    const deciding: Promise<unknown>[] = []
    for (let epoch = 2; epoch <= 20; epoch++) {
      for (let i = 0; i < 5; i++) deciding.push(kernel.decide(read))
      deciding.push(install(kernel, signedBundle(epoch)))
    }
    await Promise.all(deciding)
    let newest = 0
    for (const { statement } of await store.read(0, 1000)) {
      if (statement.kind === 'activation') newest = statement.policy_epoch
      if (statement.kind === 'decision') expect(statement.policy_epoch).toBe(newest)
    }
    expect(newest).toBe(20)
  })
})
