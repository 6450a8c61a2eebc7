import {
  createKernel,
  digest,
  type Keep,
  KernelError,
  type KernelOptions,
  memoryStore,
  nobleCrypto,
  noTrust,
} from '@helm-ai-kernel/core'
import { parseSignatures } from '@helm-ai-kernel/core/bundle'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { createKept } from '../../packages/core/src/kernel/kept.ts'
import { fakeClock } from '../support/clock.ts'
import { kernelSigner, seededRandom, signedBundle, testKernel, trust } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { scope } from '../support/policy.ts'
import { acme, later, turns } from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }
const minute = 60_000
const mebibyte = 1024 * 1024
const { bytes, signature } = signedBundle()
const policyHash = digest(nobleCrypto, bytes)
const bundleName = `policies/${policyHash.slice('sha256:'.length)}.bundle`
const stateName = 'policy/default~default.json'

/** A keep that remembers what was put, in order. */
function countingKeep(): Keep & { readonly puts: string[] } {
  const inner = fileKeep(memoryDisk())
  const puts: string[] = []
  return {
    ...inner,
    puts,
    put: async (name, content) => {
      puts.push(name)
      await inner.put(name, content)
    },
  }
}

/** A kernel, and the head that names what it is given. */
function lifeOf(options: Partial<KernelOptions> & { readonly keep: Keep }) {
  const made = testKernel(options)
  const head = {
    scope,
    policyEpoch: undefined,
    policyHash,
    bundleRef: '',
    signatures: parseSignatures(signature),
  }
  const confirm = (maxAge = 10 * minute) =>
    made.kernel.authority.confirm(head, { scope, policyHash, maxAge })
  return { ...made, head, confirm }
}

describe('what is kept of a policy', () => {
  it('is its bytes and signatures, once for all scopes and lives, and how it stood', async () => {
    const keep = countingKeep()
    const { kernel } = lifeOf({ keep })
    await kernel.install(bytes, signature, { source: 'mountedFile', bundleRef: '/policy' })
    expect([...keep.puts].sort()).toEqual([bundleName, `${bundleName}.sig`, stateName])
    expect(await keep.get(bundleName)).toEqual(bytes)
    expect(await keep.get(`${bundleName}.sig`)).toEqual(signature)
    const state = async (): Promise<unknown> =>
      JSON.parse(new TextDecoder().decode(await keep.get(stateName)))
    const stood = {
      type: 'helm.kept-policy/v1',
      policy_hash: policyHash,
      verified_at: '2026-11-22T06:00:00.000Z',
      activated_at: '2026-11-22T06:00:00.000Z',
    }
    expect(await state()).toEqual({ ...stood, source: 'mountedFile', bundle_ref: '/policy' })
    const other = lifeOf({ keep })
    await other.kernel.install(bytes, signature)
    expect(keep.puts.filter((name) => name === bundleName)).toHaveLength(1)
    expect(await state()).toEqual({ ...stood, source: 'install', bundle_ref: '' })
  })

  it('is restored without being written again', async () => {
    const keep = countingKeep()
    const store = memoryStore()
    await lifeOf({ keep, store }).kernel.install(bytes, signature)
    const before = keep.puts.length
    const { kernel } = lifeOf({ keep, store })
    await kernel.authority.restore(scope, Infinity)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(keep.puts).toHaveLength(before)
  })

  it('may be unsigned, where that is taken', async () => {
    const options = { keep: countingKeep(), store: memoryStore(), trust: noTrust }
    await lifeOf(options).kernel.install(bytes)
    expect(options.keep.puts).not.toContain(`${bundleName}.sig`)
    expect((await createKept(options.keep).read(scope))?.bundle.signatures).toEqual([])
    const { kernel } = lifeOf(options)
    expect(await kernel.authority.restore(scope, Infinity)).toMatchObject({ status: 'resumed' })
    expect(kernel.status().policy?.provenance).toBe('unsigned')
  })

  it('is nothing, where nothing was installed, or its bytes are gone, or too many', async () => {
    const keep = countingKeep()
    const kept = createKept(keep)
    expect(await kept.read(scope)).toBeUndefined()
    expect(await lifeOf({ keep }).kernel.authority.restore(scope, Infinity)).toBeUndefined()
    await lifeOf({ keep }).kernel.install(bytes, signature)
    const withBundle = (content: Uint8Array | undefined) =>
      createKept({
        ...keep,
        get: async (name) => (name === bundleName ? content : keep.get(name)),
      }).read(scope)
    expect(await withBundle(undefined)).toBeUndefined()
    expect(await withBundle(new Uint8Array(64 * mebibyte + 1))).toBeUndefined()
    expect((await withBundle(new Uint8Array(64 * mebibyte)))?.bundle.policyHash).toBe(policyHash)
  })

  it('is found by the names of files; what has no name of a scope is none', async () => {
    const keep = fileKeep(memoryDisk())
    const names = ['acme~prod', 'default~default', 'notes', '~prod', 'acme~']
    for (const name of names) await keep.put(`policy/${name}.json`, bytes)
    expect(await createKept(keep).scopes()).toEqual([acme, scope])
  })

  it('that the disk does not take is an error, which names the cause', async () => {
    const cause = new Error('ENOSPC: no space left on device')
    const keep: Keep = { ...fileKeep(memoryDisk()), put: async () => Promise.reject(cause) }
    const { kernel } = lifeOf({ keep })
    await expect(kernel.install(bytes, signature)).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      message: 'policy could not be kept: ENOSPC: no space left on device',
      cause,
    })
    expect(kernel.status().status).toBe('no_policy')
  })

  it('in a form that this kernel does not know is refused', async () => {
    const keep = fileKeep(memoryDisk())
    await keep.put(stateName, new TextEncoder().encode('{"type":"helm.kept-policy/v2"}'))
    await expect(createKept(keep).read(scope)).rejects.toMatchObject({
      code: 'BUNDLE_MALFORMED',
      message: expect.stringContaining('kept policy') as string,
    })
  })
})

describe('a kernel that keeps nothing', () => {
  it('finds nothing to restore, and closes all the same', async () => {
    const { kernel } = testKernel()
    await kernel.install(bytes, signature)
    expect(await kernel.authority.kept()).toEqual([])
    expect(await kernel.authority.restore(scope, Infinity)).toBeUndefined()
    await kernel.authority.close(scope, 'withdrawn')
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_WITHDRAWN')
  })
})

describe('a policy that is confirmed', () => {
  it('is younger for it, and as long in force as before', async () => {
    const { kernel, confirm, clock } = lifeOf({ keep: countingKeep() })
    await kernel.install(bytes, signature, { maxAge: 10 * minute })
    const { activatedAt } = kernel.status().policy ?? {}
    clock.advance(9 * minute)
    expect(await confirm()).toMatchObject({ status: 'no_change', policyEpoch: 1 })
    clock.advance(9 * minute)
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
    expect(kernel.status().policy).toMatchObject({ activatedAt, age: 9 * minute })
  })

  it.each([
    ['once a minute', 60 * minute, minute],
    ['ten times in the age that it may reach', 100_000, 10_000],
  ])('has its age kept at most %s', async (_how, maxAge, lag) => {
    const keep = countingKeep()
    const { kernel, confirm, clock } = lifeOf({ keep })
    await kernel.install(bytes, signature, { maxAge })
    const puts = keep.puts.length
    clock.advance(lag - 1)
    await confirm(maxAge)
    expect(keep.puts).toHaveLength(puts)
    clock.advance(1)
    await confirm(maxAge)
    await confirm(maxAge)
    expect(keep.puts.slice(puts)).toEqual([stateName])
  })

  it('stays in force when its age cannot be kept; that is said', async () => {
    let isFull = false
    const inner = fileKeep(memoryDisk())
    const keep: Keep = {
      ...inner,
      put: async (name, content) => {
        if (isFull) throw new Error('ENOSPC')
        await inner.put(name, content)
      },
    }
    const { kernel, confirm, clock, warnings } = lifeOf({ keep })
    await kernel.install(bytes, signature)
    isFull = true
    clock.advance(2 * minute)
    expect(await confirm()).toMatchObject({ status: 'no_change' })
    expect(warnings).toEqual(['policy could not be kept: ENOSPC'])
  })

  it('stays in force also when nobody is told', async () => {
    let isFull = false
    const inner = fileKeep(memoryDisk())
    const clock = fakeClock()
    const kernel = createKernel({
      trust,
      store: memoryStore(),
      keep: {
        ...inner,
        put: async (name, content) => {
          if (isFull) throw new Error('ENOSPC')
          await inner.put(name, content)
        },
      },
      signer: kernelSigner,
      clock,
      random: seededRandom(),
    })
    await kernel.install(bytes, signature)
    isFull = true
    clock.advance(2 * minute)
    expect(await kernel.install(bytes, signature)).toMatchObject({ status: 'no_change' })
  })

  it('does not come back when it was closed meanwhile', async () => {
    const inner = memoryStore()
    const slow = later<undefined>()
    let isSlow = false
    const store = {
      ...inner,
      state: async () => {
        if (isSlow) await slow.promise
        return inner.state()
      },
    }
    const { kernel, confirm } = lifeOf({ store, keep: countingKeep() })
    await kernel.install(bytes, signature)
    isSlow = true
    const confirming = confirm()
    const refused = expect(confirming).rejects.toMatchObject({
      code: 'POLICY_INVALIDATED',
      message: 'the policy was closed while it was verified',
    })
    await turns()
    await kernel.authority.close(scope, 'invalid')
    slow.resolve(undefined)
    await refused
    expect(kernel.evaluate(read).reasonCode).toBe('POLICY_INVALIDATED')
  })

  it('is not the one that another head names, signed or not', async () => {
    const { kernel, head } = lifeOf({ keep: countingKeep(), trust: noTrust })
    await kernel.install(bytes)
    const other = { ...head, policyHash: digest(nobleCrypto, signature) }
    expect(await kernel.authority.confirm(other, { scope })).toBeUndefined()
    expect(await kernel.authority.confirm(head, { scope })).toMatchObject({ status: 'no_change' })
  })

  it('must be named for a scope', async () => {
    const { kernel, head } = lifeOf({ keep: countingKeep() })
    await expect(kernel.authority.confirm(head, {})).rejects.toBeInstanceOf(KernelError)
  })
})

describe('the age of a policy', () => {
  it('that was restored runs on also on the clock that nobody steps', async () => {
    const options = { keep: countingKeep(), store: memoryStore() }
    await lifeOf(options).kernel.install(bytes, signature)
    const { kernel, clock } = lifeOf(options)
    clock.advance(4 * minute)
    await kernel.authority.restore(scope, 10 * minute)
    expect(kernel.status().policy?.age).toBe(4 * minute)
    clock.step('monotonic', 6 * minute)
    expect(kernel.status().status).toBe('active')
    clock.step('monotonic', 1)
    expect(kernel.status().status).toBe('stale')
  })

  it('ends at its expiry by whichever clock comes there first', async () => {
    const timed = signedBundle(1, undefined, {
      issued_at: '2026-11-22T06:00:00.000Z',
      expires_at: '2026-11-22T07:00:00.000Z',
    })
    for (const hand of ['wall', 'monotonic'] as const) {
      const { kernel, clock } = testKernel()
      await kernel.install(timed.bytes, timed.signature)
      clock.step(hand, 60 * minute - 1)
      expect(kernel.status().status).toBe('active')
      clock.step(hand, 1)
      expect(kernel.evaluate(read).reasonCode).toBe('POLICY_EXPIRED')
    }
  })
})
