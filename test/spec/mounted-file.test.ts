import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  digest,
  isKernelError,
  type Mark,
  nobleCrypto as crypto,
  type PolicySource,
} from '@helm-ai-kernel/core'
import { encodeSignatures, inspect } from '@helm-ai-kernel/core/bundle'
import { mountedFile } from '@helm-ai-kernel/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'

let folder: string

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-mounted-'))
})

afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true })
})

function source(path = folder, unsigned = true, mark?: Mark): PolicySource {
  return mountedFile({ path, scope, crypto, unsigned, mark: async () => mark })
}

async function delivered(from: PolicySource) {
  return from.load(scope, await from.head(scope))
}

async function codeOf(from: PolicySource): Promise<string> {
  try {
    await delivered(from)
    return 'delivered'
  } catch (error) {
    return isKernelError(error) ? error.code : String(error)
  }
}

async function put(files: Readonly<Record<string, string | Uint8Array>>, into = folder) {
  await fs.mkdir(into, { recursive: true })
  for (const [name, content] of Object.entries(files)) await fs.writeFile(join(into, name), content)
}

const authored = 'rules: [{ id: r, effect: ALLOW, actions: [a] }]'
const first = signedBundle(1)
const second = signedBundle(2)

/** A bundle and its signature as files. */
function files({ bytes, signature }: typeof first) {
  return { 'policy.bundle': bytes, 'policy.bundle.sig': signature }
}

/** Swaps in a generation as the kubelet does: folder, link beside, rename over `..data`, old away. */
async function kubelet(name: string, content: Readonly<Record<string, string | Uint8Array>>) {
  const before = await fs.readlink(join(folder, '..data')).catch(() => undefined)
  await put(content, join(folder, name))
  await fs.symlink(name, join(folder, '..data_tmp'))
  await fs.rename(join(folder, '..data_tmp'), join(folder, '..data'))
  for (const file of Object.keys(content)) {
    await fs.symlink(join('..data', file), join(folder, file)).catch(() => undefined)
  }
  if (before !== undefined) await fs.rm(join(folder, before), { recursive: true })
}

describe('a mounted folder', () => {
  it('serves the kernel’s own scope: a head that is the digest of the bytes, and the bytes', async () => {
    await put({ ...files(first), 'README.md': 'ignored', 'other.yaml': 'ignored' })
    const from = source()
    expect(await from.scopes()).toEqual([scope])
    expect(await from.head(scope)).toEqual({
      scope,
      policyEpoch: undefined,
      policyHash: digest(crypto, first.bytes),
      bundleRef: 'policy.bundle',
      signatures: [],
    })
    const { bytes, signatures } = await delivered(from)
    expect(bytes).toEqual(first.bytes)
    expect(encodeSignatures(signatures)).toEqual(first.signature)
  })

  it('says that it is empty, ambiguous, or not there', async () => {
    expect(await codeOf(source())).toBe('SOURCE_EMPTY')
    await put({ 'policy.bundle.sig': first.signature, 'policy.yml': authored })
    expect(await codeOf(source())).toBe('SOURCE_EMPTY')
    await put({ 'policy.yaml': authored })
    expect(await codeOf(source())).toBe('delivered')
    await put({ 'policy.json': '{"rules":[]}' })
    expect(await codeOf(source())).toBe('SOURCE_AMBIGUOUS')
    await fs.rm(join(folder, 'policy.json'))
    await put(files(first))
    expect(await codeOf(source())).toBe('SOURCE_AMBIGUOUS')
    expect(await codeOf(source(join(folder, 'missing')))).toBe('SOURCE_UNREACHABLE')
  })

  it('takes an unsigned bundle as it is, and leaves the judgement to the kernel', async () => {
    await put({ 'policy.bundle': first.bytes })
    expect((await delivered(source(folder, false))).signatures).toEqual([])
  })

  it('builds an authored policy, with the epoch after the newest activation', async () => {
    await put({ 'policy.yaml': authored })
    const { bytes, signatures } = await delivered(source())
    expect(inspect(bytes)).toMatchObject({ scope, policyEpoch: 1, rules: [{ id: 'r' }] })
    expect(signatures).toEqual([])
    const mark: Mark = { epoch: 4, hash: digest(crypto, first.bytes) }
    expect(inspect((await delivered(source(folder, true, mark))).bytes).policyEpoch).toBe(5)
  })

  it('refuses an authored policy where signed policy alone is taken, before reading it', async () => {
    await put({ 'policy.yaml': ': not even yaml' })
    expect(await codeOf(source(folder, false))).toBe('SIGNATURE_MISSING')
  })

  it('bounds what it reads', async () => {
    await put({ 'policy.yaml': `# ${'x'.repeat(1024 * 1024)}` })
    expect(await codeOf(source())).toBe('SOURCE_TOO_LARGE')
    await fs.rm(join(folder, 'policy.yaml'))
    await put({ 'policy.bundle': '' })
    await fs.truncate(join(folder, 'policy.bundle'), 64 * 1024 * 1024 + 1)
    expect(await codeOf(source())).toBe('SOURCE_TOO_LARGE')
    await put({ 'policy.bundle': first.bytes, 'policy.bundle.sig': 'x'.repeat(17_000) })
    expect(await codeOf(source())).toBe('SOURCE_TOO_LARGE')
  })

  it('says what is wrong with a signature file', async () => {
    await put({ 'policy.bundle': first.bytes, 'policy.bundle.sig': 'zz' })
    expect(await codeOf(source())).toBe('SIGNATURE_INVALID')
  })

  it('follows no link out of the folder, and waits for no pipe', async () => {
    const outside = `${folder}-outside`
    await put(files(first), outside)
    try {
      await fs.symlink(join(outside, 'policy.bundle'), join(folder, 'policy.bundle'))
      expect(await codeOf(source())).toBe('SOURCE_UNREACHABLE')
      await fs.rm(join(folder, 'policy.bundle'))
      await put({ 'policy.bundle': first.bytes })
      await fs.symlink(join(outside, 'policy.bundle.sig'), join(folder, 'policy.bundle.sig'))
      expect(await codeOf(source())).toBe('SOURCE_UNREACHABLE')
      await fs.symlink(outside, join(folder, '..data'))
      expect(await codeOf(source())).toBe('SOURCE_UNREACHABLE')
      await fs.rm(join(folder, '..data'))
      await fs.rm(join(folder, 'policy.bundle'))
      execFileSync('mkfifo', [join(folder, 'policy.bundle')])
      expect(await codeOf(source())).toBe('SOURCE_UNREACHABLE')
    } finally {
      await fs.rm(outside, { recursive: true })
    }
  })

  it('does not load other bytes than its head spoke of', async () => {
    await put(files(first))
    const from = source()
    const head = await from.head(scope)
    await put(files(second))
    expect((await from.load(scope, head)).bytes).toEqual(first.bytes)
    await expect(from.load(scope, head)).rejects.toMatchObject({ code: 'HASH_MISMATCH' })
  })
})

describe('a mounted file', () => {
  it('is a bundle with its signature beside it, or authored policy, by its name', async () => {
    await put({ 'a.bundle': first.bytes, 'a.bundle.sig': first.signature, 'b.yml': authored })
    const { bytes, signatures } = await delivered(source(join(folder, 'a.bundle')))
    expect(bytes).toEqual(first.bytes)
    expect(signatures).toHaveLength(1)
    expect(inspect((await delivered(source(join(folder, 'b.yml')))).bytes).policyEpoch).toBe(1)
  })
})

describe('a folder that the kubelet keeps', () => {
  it('is followed from one generation to the next', async () => {
    await kubelet('..2026_1', files(first))
    const from = source()
    const file = source(join(folder, 'policy.bundle'))
    expect((await delivered(from)).bytes).toEqual(first.bytes)
    await kubelet('..2026_2', files(second))
    expect((await delivered(from)).bytes).toEqual(second.bytes)
    expect((await delivered(file)).bytes).toEqual(second.bytes)
  })

  it('never gives the bundle of one generation with the signature of another', async () => {
    const bundles = Array.from({ length: 40 }, (_, i) => signedBundle(i + 1))
    const signatureOf = new Map(
      bundles.map(({ bytes, signature }) => [digest(crypto, bytes), Buffer.from(signature)]),
    )
    await kubelet('..0', files(first))
    const swaps = (async () => {
      for (const [i, bundle] of bundles.entries()) await kubelet(`..${i + 1}`, files(bundle))
    })()
    const from = source()
    let looks = 0
    const last = `..${bundles.length}`
    while ((await fs.readlink(join(folder, '..data'))) !== last) {
      try {
        const { bytes, signatures } = await delivered(from)
        const fits = signatureOf.get(digest(crypto, bytes))
        expect(Buffer.from(encodeSignatures(signatures)).equals(fits ?? Buffer.alloc(0))).toBe(true)
        looks++
      } catch (error) {
        expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
      }
    }
    await swaps
    expect(looks).toBeGreaterThan(0)
    expect((await delivered(from)).bytes).toEqual(bundles.at(-1)?.bytes)
  })
})
