import {
  canonicalBytes,
  createKernel,
  encodeHex,
  type Json,
  type Keep,
  type Kernel,
  type KernelOptions,
  memoryStore,
  nobleCrypto,
  noTrust,
  parseTrustRoot,
  type ReceiptStore,
  type Signer,
  signer,
  systemScope,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { encodeBundle, encodeSignatures, signBundle } from '@helm-ai-kernel/core/bundle'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../support/clock.ts'
import {
  kernelSigner,
  policySigner,
  sampleRules,
  seededRandom,
  signedBundle,
  testKernel,
  trust,
} from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { scope } from '../support/policy.ts'
import { testReconciler } from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const alice = policySigner
const bob = signer(new Uint8Array(32).fill(21))
const carol = signer(new Uint8Array(32).fill(22))

function root(
  version: number,
  keys: readonly Signer[],
  more: Record<string, Json> = {},
): TrustRoot {
  return parseTrustRoot(
    canonicalBytes({
      type: 'helm.trust-root/v1',
      version,
      threshold: 1,
      keys: keys.map(({ keyId, publicKey }) => ({
        key_id: keyId,
        public_key: encodeHex(publicKey),
        scopes: ['*'],
      })),
      ...more,
    }),
    nobleCrypto,
  )
}

function signedBy(keys: readonly Signer[], policyEpoch = 1) {
  const bytes = encodeBundle({ rules: sampleRules }, { scope, policyEpoch })
  return { bytes, signature: encodeSignatures(keys.map((key) => signBundle(bytes, key))) }
}

async function installed(by: readonly Signer[], more: Partial<KernelOptions> = {}) {
  const made = testKernel({ trust: root(1, [alice, bob]), ...more })
  const { bytes, signature } = signedBy(by)
  await made.kernel.install(bytes, signature)
  return made
}

describe('a new trust root', () => {
  it('revokes at once what it does not vouch for, before anything is waited for', async () => {
    const { kernel } = await installed([alice])
    const done = kernel.authority.trust(root(2, [bob]))
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
    await done
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
  })

  it('leaves in force what it vouches for', async () => {
    const { kernel } = await installed([alice, bob])
    await kernel.authority.trust(root(2, [bob]))
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('finds a signature good that the one before had no use for, on the bytes that were kept', async () => {
    const keep = fileKeep(memoryDisk())
    const { kernel } = await installed([alice, bob], { keep, trust: root(1, [alice]) })
    await kernel.authority.trust(root(2, [bob]))
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('counts distinct keys anew', async () => {
    const { kernel } = await installed([alice])
    await kernel.authority.trust(root(2, [alice, bob], { threshold: 2 }))
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
  })

  it('holds what is confirmed to a floor that it raises', async () => {
    const { kernel, source, start, wake } = testReconciler({}, { trust: root(1, [alice]) })
    source.offer(signedBundle(3))
    await start()
    await kernel.authority.trust(root(2, [alice], { epoch_floor: { 'default/default': 4 } }))
    expect(await wake()).toMatchObject({ reason_code: 'EPOCH_ROLLBACK' })
  })

  it.each<[string, () => TrustRoot]>([
    ['a lower version', () => root(1, [bob])],
    ['the same version with other bytes', () => root(2, [bob])],
  ])('with %s is refused, and the old one stays', async (_, make) => {
    const { kernel, store } = await installed([alice], { trust: root(2, [alice]) })
    await expect(kernel.authority.trust(make())).rejects.toThrow(
      expect.objectContaining({ code: 'TRUST_ROOT_ROLLBACK' }),
    )
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect((await store.state()).trust?.version).toBe(2)
  })

  it('is written down, once, in the scope of the kernel itself', async () => {
    const { kernel, store } = await installed([alice])
    const next = root(2, [alice])
    await kernel.authority.trust(next)
    await kernel.authority.trust(next)
    const { receipts } = await store.find({ scope: systemScope, kind: 'trust', limit: 10 })
    expect(receipts.map(({ statement }) => statement)).toMatchObject([
      { version: 1 },
      { version: 2, digest: next.digest, key_ids: [alice.keyId] },
    ])
  })

  it('of before is refused also after a restart, when the ledger remembers a newer one', async () => {
    const { store, kernel } = await installed([alice])
    await kernel.authority.trust(root(2, [alice]))
    const { kernel: after } = testKernel({ store, trust: root(1, [alice, bob]) })
    const { bytes, signature } = signedBy([alice])
    await expect(after.install(bytes, signature)).rejects.toThrow(
      expect.objectContaining({ code: 'TRUST_ROOT_ROLLBACK' }),
    )
    await after.authority.trust(root(3, [alice]))
    expect(await after.install(bytes, signature)).toMatchObject({ status: 'resumed' })
  })
})

describe('a trust root in the ledger', () => {
  const marks = async (store: ReceiptStore) =>
    (await store.find({ scope: systemScope, kind: 'trust', limit: 10 })).receipts.map(
      ({ statement }) => statement,
    )

  it('is not written again by a restart, and names its keys in order', async () => {
    for (const keys of [
      [alice, bob],
      [bob, alice],
    ]) {
      const trusted = root(1, keys)
      const { store } = await installed([alice], { trust: trusted })
      await installed([alice], { trust: trusted, store })
      expect(await marks(store)).toMatchObject([
        { version: 1, key_ids: [alice.keyId, bob.keyId].sort() },
      ])
    }
  })

  it('is not held against the short form, which has no version and is not written', async () => {
    const { store } = await installed([alice], { trust: root(7, [alice]) })
    const { kernel } = await installed([alice], { trust, store })
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(await marks(store)).toMatchObject([{ version: 7 }])
  })

  it('may follow the short form with any version', async () => {
    const { kernel, store } = await installed([alice], { trust })
    await kernel.authority.trust(root(1, [alice]))
    expect(await marks(store)).toMatchObject([{ version: 1 }])
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it.each([
    [1, 'the trust root has version 1, after version 2 was in force: give it a higher one'],
    [2, 'the trust root of version 2 has changed: give the new one a higher version'],
  ])('says to the owner of version %i what to do', async (version, message) => {
    const { kernel } = await installed([alice], { trust: root(2, [alice]) })
    await expect(kernel.authority.trust(root(version, [bob]))).rejects.toThrow(message)
  })
})

describe('a revocation', () => {
  /** A disk that forgets nothing, so that what was closed could come back from it. */
  const stubborn = (): Keep => ({
    ...fileKeep(memoryDisk()),
    remove: async () => {
      throw new Error('EROFS')
    },
  })
  const close = async (kernel: Kernel, how: 'invalid' | 'withdrawn') =>
    expect(kernel.authority.close(scope, how)).rejects.toThrow('EROFS')

  it.each([
    ['invalid', 'POLICY_INVALIDATED'],
    ['withdrawn', 'POLICY_WITHDRAWN'],
  ] as const)('leaves %s what was so for another cause', async (how, reasonCode) => {
    const { kernel } = await installed([alice, bob], { keep: stubborn() })
    await close(kernel, how)
    await kernel.authority.trust(root(2, [bob]))
    expect(kernel.evaluate(read).reasonCode).toBe(reasonCode)
    await kernel.authority.trust(root(3, [carol]))
    expect(kernel.evaluate(read).reasonCode).toBe(reasonCode)
  })

  it('brings nothing back that is withdrawn before it is written down', async () => {
    const { kernel } = await installed([alice, bob], { keep: stubborn(), trust: root(1, [alice]) })
    const done = kernel.authority.trust(root(2, [bob]))
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
    await close(kernel, 'withdrawn')
    await done
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_WITHDRAWN')
  })

  it('is told with its cause', async () => {
    const { kernel, warnings } = await installed([alice], { keep: fileKeep(memoryDisk()) })
    await kernel.authority.trust(root(2, [bob]))
    expect(warnings).toEqual([
      'the policy of default/default is revoked: ' +
        'no signature is by a key that the trust root allows for this scope',
    ])
  })

  it('needs nobody to be told', async () => {
    const kernel = createKernel({
      trust: root(1, [alice]),
      store: memoryStore(),
      keep: fileKeep(memoryDisk()),
      signer: kernelSigner,
      clock: fakeClock(),
      random: seededRandom(),
    })
    const { bytes, signature } = signedBy([alice])
    await kernel.install(bytes, signature)
    await kernel.authority.trust(root(2, [bob]))
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
  })

  it('is no revocation where policy is unsigned and still may be', async () => {
    const { kernel } = testKernel({ trust: noTrust })
    await kernel.install(signedBundle(1).bytes)
    await kernel.authority.trust(noTrust)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })
})

describe('a bundle whose signatures change while its bytes stay', () => {
  it('is confirmed when they are known, loaded when one is new, refused when they are gone', async () => {
    const { source, start, wake } = testReconciler({}, { trust: root(1, [alice, bob]) })
    source.offer(signedBy([alice]))
    await start()
    expect(await wake(signedBy([alice]))).toMatchObject({ reconcile_status: 'no_change' })
    expect(source.asked().loads).toBe(1)
    expect(await wake(signedBy([alice, bob]))).toMatchObject({ reconcile_status: 'no_change' })
    expect(source.asked().loads).toBe(2)
    expect(await wake({ ...signedBy([alice]), signature: new Uint8Array() })).toMatchObject({
      reason_code: 'SIGNATURE_MISSING',
      snapshot_status: 'active',
    })
  })
})

describe('policy forget', () => {
  const unsigned = () => ({ bytes: signedBundle(1).bytes, signature: new Uint8Array() })

  it('lets unsigned policy follow signed policy, and nothing else does', async () => {
    const store = memoryStore()
    const signed = testReconciler({}, { store })
    signed.source.offer(signedBundle(7))
    await signed.start()

    const open = testReconciler({}, { store, trust: noTrust })
    open.source.offer(unsigned())
    await open.start()
    expect(open.reconciler.status(scope)).toMatchObject({ reason_code: 'SIGNATURE_MISSING' })
    await open.kernel.authority.forget(scope)
    expect(await open.wake()).toMatchObject({
      reconcile_status: 'ok',
      provenance: 'unsigned',
      installed_policy_epoch: 1,
    })
    expect((await open.kernel.decide(read)).decision.verdict).toBe('ALLOW')
    expect((await store.find({ scope, kind: 'forget', limit: 2 })).receipts).toMatchObject([
      { statement: { previous_epoch: 7 } },
    ])
  })

  it('holds signed policy to the epochs of before, and shuts the door again', async () => {
    const store = memoryStore()
    const { kernel, source, start, wake } = testReconciler({}, { store, trust })
    source.offer(signedBundle(7))
    await start()
    await kernel.authority.forget(scope)
    expect(await wake(signedBundle(6))).toMatchObject({ reason_code: 'EPOCH_ROLLBACK' })
    expect(await wake(signedBundle(8))).toMatchObject({ reconcile_status: 'ok' })
    const open = testReconciler({}, { store, trust: noTrust })
    open.source.offer(unsigned())
    await open.start()
    expect(open.reconciler.status(scope)).toMatchObject({ reason_code: 'SIGNATURE_MISSING' })
  })

  it('has nothing to forget where no signed policy was', async () => {
    const { kernel } = testKernel()
    await expect(kernel.authority.forget(scope)).rejects.toMatchObject({
      code: 'POLICY_NOT_READY',
      message: 'default/default never had signed policy',
    })
  })
})
