import {
  createKernel,
  type Draft,
  encodeHex,
  type Kernel,
  type KernelOptions,
  type KernelSigner,
  memoryStore,
  nobleCrypto as crypto,
  type ReceiptStore,
  type Statement,
} from '@helm-ai-kernel/core'
import { type AuditOptions, type AuditResult, createAudit } from '@helm-ai-kernel/core/receipt'
import { describe, expect, it, vi } from 'vitest'
import { parseStatement } from '../../packages/core/src/receipt/schema.ts'
import { fakeClock } from '../support/clock.ts'
import { seededRandom, signedBundle, trust } from '../support/kernel.ts'
import {
  acme,
  began,
  decision,
  ended,
  identity,
  sealAll,
  signerOf,
} from '../support/log-entries.ts'

const [first, second, third] = [signerOf(1), signerOf(2), signerOf(3)]
const request = { principal: 'agent:a', action: 'ticket.read', resource: 'ticket:1' }
const lowOrder = new Uint8Array(32)

function kernelOf(
  store: ReceiptStore,
  signer: KernelSigner,
  onKeyChange?: KernelOptions['onKeyChange'],
): Kernel {
  const more = onKeyChange === undefined ? {} : { onKeyChange }
  return createKernel({ trust, store, signer, clock: fakeClock(), random: seededRandom(), ...more })
}

/** A kernel that has begun and decided. */
async function running(store: ReceiptStore, signer: KernelSigner): Promise<Kernel> {
  const kernel = kernelOf(store, signer)
  const { bytes, signature } = signedBundle()
  await kernel.install(bytes, signature)
  await kernel.decide(request)
  return kernel
}

async function statements(store: ReceiptStore): Promise<readonly Statement[]> {
  return (await store.read(0, 1000)).map(({ statement }) => statement)
}

async function audit(store: ReceiptStore, more: Partial<AuditOptions> = {}): Promise<AuditResult> {
  const made = createAudit({ crypto, ...more })
  for (const { entry } of await store.read(0, 1000)) made.add(entry)
  return made.finish()
}

const check = ({ checks }: AuditResult, name: string) => checks.find((one) => one.name === name)

describe('a key that ends', () => {
  it('names its successor in its last receipt, and not the log key, which it cannot know', async () => {
    const store = memoryStore()
    const kernel = await running(store, first)
    const receipt = await kernel.authority.endKey(second.publicKey)
    expect(receipt?.statement).toMatchObject({
      kind: 'key',
      event: 'ended',
      key_id: first.keyId,
      subject_key_id: second.keyId,
      public_key: encodeHex(second.publicKey),
      log_public_key: null,
      endorsed: true,
    })
    expect(await store.state()).toMatchObject({ key: first.keyId, successor: second.keyId })
  })

  it('signs nothing more, and the kernel says who does', async () => {
    const store = memoryStore()
    const kernel = await running(store, first)
    await kernel.authority.endKey(second.publicKey)
    const { size } = await store.state()
    const refusal = {
      code: 'KEY_CHANGED',
      message: expect.stringContaining(second.keyId) as string,
    }
    await expect(kernel.decide(request)).rejects.toMatchObject(refusal)
    const fn = vi.fn()
    await expect(kernel.guard(request, fn)({})).rejects.toMatchObject(refusal)
    expect(fn).not.toHaveBeenCalled()
    await expect(kernelOf(store, first).begin()).rejects.toMatchObject(refusal)
    await expect(kernelOf(store, first, 'rotate').begin()).rejects.toMatchObject(refusal)
    expect((await store.state()).size).toBe(size)
  })

  it('may be ended again for the same successor, which writes nothing, and for no other', async () => {
    const store = memoryStore()
    const kernel = await running(store, first)
    await kernel.authority.endKey(second.publicKey)
    const { size } = await store.state()
    for (const again of [kernel, kernelOf(store, first)]) {
      expect(await again.authority.endKey(second.publicKey)).toBeUndefined()
      await expect(again.authority.endKey(third.publicKey)).rejects.toMatchObject({
        code: 'KEY_CHANGED',
      })
    }
    expect((await store.state()).size).toBe(size)
  })

  it.each([
    ['itself', first.publicKey],
    ['its own log key', first.log.publicKey],
    ['a key under which anybody can sign', lowOrder],
    ['half a key', first.publicKey.subarray(16)],
  ])('does not name %s', async (_, next) => {
    const store = memoryStore()
    const kernel = await running(store, first)
    const { size } = await store.state()
    await expect(kernel.authority.endKey(next)).rejects.toMatchObject({ code: 'KEY_INVALID' })
    expect((await store.state()).size).toBe(size)
    expect((await kernel.decide(request)).receipt).toBeDefined()
  })

  it('is at its end for an auditor too', () => {
    const after = (...drafts: readonly Draft[]) => {
      const steps = [began(first), ended(second), ...drafts].map((draft) => ({ by: first, draft }))
      const made = createAudit({ crypto, identity })
      for (const { entry } of sealAll(steps)) made.add(entry)
      return check(made.finish(), 'keys')
    }
    expect(after()?.status).toBe('pass')
    for (const draft of [decision(acme, null), ended(third)]) {
      expect(after(draft)?.detail).toContain(`follows the end of ${first.keyId}`)
    }
  })
})

describe('the successor', () => {
  it('begins vouched for, with a log key of its own, and only the first needs a pin', async () => {
    const store = memoryStore()
    await (await running(store, first)).authority.endKey(second.publicKey)
    const kernel = await running(store, second)
    const body = (await statements(store)).findLast(({ kind }) => kind === 'key')
    expect(body).toMatchObject({
      event: 'began',
      key_id: second.keyId,
      log_public_key: encodeHex(second.log.publicKey),
      endorsed: true,
    })
    expect(await store.state()).toMatchObject({ key: second.keyId, successor: undefined })
    await kernel.authority.endKey(third.publicKey)
    await running(store, third)
    const result = await audit(store, { pinnedKeys: [first.publicKey] })
    expect(result.verdict).toBe('PASS')
    expect(check(result, 'keys')?.detail).not.toContain('warning')
    const wrong = await audit(store, { pinnedKeys: [third.publicKey] })
    expect(check(wrong, 'key_pinned')?.status).toBe('fail')
  })

  it('begins once, when two kernels of one key open the ledger at the same time', async () => {
    const store = memoryStore()
    await (await running(store, first)).authority.endKey(second.publicKey)
    const late: ReceiptStore = { ...store, state: async () => ({ ...before }) }
    const before = { ...(await store.state()) }
    await kernelOf(store, second).begin()
    await kernelOf(late, second).begin()
    const began = (await statements(store)).filter((one) => one.key_id === second.keyId)
    expect(began).toHaveLength(1)
    expect((await audit(store)).verdict).toBe('PASS')
  })

  it('is the only one: any other key is refused, or begins without a voucher', async () => {
    const store = memoryStore()
    await (await running(store, first)).authority.endKey(second.publicKey)
    const refused = kernelOf(store, third).begin()
    await expect(refused).rejects.toMatchObject({ code: 'KEY_CHANGED' })
    await expect(refused).rejects.toThrow(second.keyId)
    await kernelOf(store, third, [first.keyId]).begin()
    expect((await statements(store)).at(-1)).toMatchObject({ event: 'began', endorsed: false })
    const result = await audit(store, { pinnedKeys: [first.publicKey] })
    expect(check(result, 'keys')?.detail).toContain('warning')
    expect(check(result, 'key_pinned')?.status).toBe('fail')
  })
})

describe('a kernel whose ledger another key took over', () => {
  it.each(['refuse', 'rotate'] as const)('records nothing more under %s', async (onKeyChange) => {
    const store = memoryStore()
    const old = kernelOf(store, first, onKeyChange)
    const { bytes, signature } = signedBundle()
    await old.install(bytes, signature)
    await old.authority.endKey(second.publicKey)
    await running(store, second)
    const { size } = await store.state()
    await expect(old.decide(request)).rejects.toMatchObject({ code: 'KEY_CHANGED' })
    await expect(old.authority.forget(old.scope)).rejects.toMatchObject({ code: 'KEY_CHANGED' })
    await expect(old.authority.endKey(third.publicKey)).rejects.toMatchObject({
      code: 'KEY_CHANGED',
    })
    expect((await store.state()).size).toBe(size)
    expect((await audit(store)).verdict).toBe('PASS')
  })
})

describe('a key receipt', () => {
  it.each([
    ['log_public_key', { log_public_key: 'ab'.repeat(32) }],
    ['endorsed', { endorsed: false }],
    ['log_public_key', { event: 'began' }],
  ])('whose %s does not fit its event is refused', async (at, wrong) => {
    const store = memoryStore()
    const receipt = await (await running(store, first)).authority.endKey(second.publicKey)
    const statement = receipt?.statement
    if (statement?.kind !== 'key' || statement.event !== 'ended') throw new Error('unreachable')
    expect(parseStatement({ ...statement, scope: { ...statement.scope } })).toEqual(statement)
    expect(() => parseStatement({ ...statement, scope: { ...statement.scope }, ...wrong })).toThrow(
      expect.objectContaining({ code: 'RECEIPT_MALFORMED', at }),
    )
  })
})
