import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digest, isKernelError, type Mark, type PolicySource } from '@helm-ai-kernel/core'
import { inspect, parseSignatures } from '@helm-ai-kernel/core/bundle'
import { mountedFile, nodeCrypto as crypto } from '@helm-ai-kernel/host'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { kubelet } from '../support/kubelet.ts'
import { signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'

let folder: string

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-mounted-'))
})

afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true })
})

const { signal: never } = new AbortController()

interface Given {
  readonly path?: string
  readonly unsigned?: () => boolean
  readonly mark?: Mark
  readonly now?: () => number
}

function source(given: Given = {}): PolicySource {
  const { path = folder, unsigned = () => true, mark, now = Date.now } = given
  return mountedFile({ path, scope, crypto, clock: { now }, unsigned, mark: async () => mark })
}

async function delivered(from: PolicySource) {
  const head = await from.head(scope, never)
  return { bytes: await from.load(scope, head, never), signatures: head.signatures }
}

async function refusal(
  from: PolicySource,
  cancel = never,
): Promise<{ code: string; message: string }> {
  try {
    await from.load(scope, await from.head(scope, cancel), cancel)
  } catch (error) {
    if (isKernelError(error)) return error
    throw error
  }
  return { code: 'delivered', message: '' }
}

async function codeOf(from: PolicySource): Promise<string> {
  return (await refusal(from)).code
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

describe('a mounted folder', () => {
  it('serves the kernel’s own scope: a head that is the digest of the bytes, and the bytes', async () => {
    await put({ ...files(first), 'README.md': 'ignored', 'other.yaml': 'ignored' })
    const from = source()
    expect(await from.scopes(never)).toEqual([scope])
    const head = await from.head(scope, never)
    expect(head).toEqual({
      scope,
      policyEpoch: undefined,
      policyHash: digest(crypto, first.bytes),
      bundleRef: 'policy.bundle',
      signatures: parseSignatures(first.signature),
    })
    expect(await from.load(scope, head, never)).toEqual(first.bytes)
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
    expect(await codeOf(source({ path: join(folder, 'missing') }))).toBe('SOURCE_UNREACHABLE')
  })

  it('takes an unsigned bundle as it is, and leaves the judgement to the kernel', async () => {
    await put({ 'policy.bundle': first.bytes })
    expect((await delivered(source({ unsigned: () => false }))).signatures).toEqual([])
  })

  it('builds an authored policy, with the epoch after the newest activation', async () => {
    await put({ 'policy.yaml': authored })
    const { bytes, signatures } = await delivered(source())
    expect(inspect(bytes)).toMatchObject({ scope, policyEpoch: 1, rules: [{ id: 'r' }] })
    expect(signatures).toEqual([])
    const mark: Mark = { epoch: 4, hash: digest(crypto, first.bytes) }
    expect(inspect((await delivered(source({ mark }))).bytes).policyEpoch).toBe(5)
  })

  it('refuses an authored policy where signed policy alone is taken, before reading it', async () => {
    await put({ 'policy.yaml': ': not even yaml' })
    expect(await codeOf(source({ unsigned: () => false }))).toBe('SIGNATURE_MISSING')
  })

  it('asks at each head whether unsigned policy is taken: a trust root may come', async () => {
    await put({ 'policy.yaml': authored })
    let unsigned = true
    const from = source({ unsigned: () => unsigned })
    expect(await codeOf(from)).toBe('delivered')
    unsigned = false
    expect(await codeOf(from)).toBe('SIGNATURE_MISSING')
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
    const { code, message } = await refusal(source())
    expect(code).toBe('SIGNATURE_INVALID')
    expect(message).toContain('policy.bundle.sig')
  })

  it('names the authored file that it refuses, whatever is wrong with it', async () => {
    for (const [name, content] of [
      ['policy.yaml', 'rules: &x []'],
      ['policy.yaml', 'rules: [{ id: r }]'],
      ['policy.json', '{"rules": [}'],
    ] as const) {
      await put({ [name]: content })
      const { code, message } = await refusal(source())
      expect([name, code]).toEqual([name, 'BUNDLE_MALFORMED'])
      expect(message.split(name)).toHaveLength(2)
      await fs.rm(join(folder, name))
    }
  })

  it('stops reading when nobody waits any more', async () => {
    await put(files(first))
    expect((await refusal(source(), AbortSignal.abort())).code).toBe('SOURCE_TIMEOUT')
  })

  it('does not load other bytes than its head spoke of', async () => {
    for (const content of [files(first), { 'policy.yaml': authored }]) {
      await put(content)
      const from = source()
      const head = await from.head(scope, never)
      const [name = ''] = Object.keys(content)
      await put({ [name]: name === 'policy.yaml' ? 'rules: []' : second.bytes })
      await expect(from.load(scope, head, never)).rejects.toMatchObject({ code: 'HASH_MISMATCH' })
      expect(await codeOf(from)).toBe('delivered')
      for (const old of Object.keys(content)) await fs.rm(join(folder, old))
    }
  })
})

describe('a large bundle', () => {
  const large = new Uint8Array(5 * 1024 * 1024 + 1).fill(0x20)
  const path = () => join(folder, 'policy.bundle')

  /** A source whose clock shows so many ms since the newest change of the bundle. */
  async function sourceAfter(ms: number): Promise<PolicySource> {
    const { ctimeMs } = await fs.stat(path())
    return source({ now: () => ctimeMs + ms })
  }

  /** How many bytes each call read of a file. */
  async function readsDuring(work: () => Promise<unknown>): Promise<readonly number[]> {
    const handle = await fs.open(folder)
    await handle.close()
    const read = vi.spyOn(Object.getPrototypeOf(handle) as fs.FileHandle, 'read')
    try {
      await work()
      return read.mock.calls.map((call) => Number((call as readonly unknown[])[2]))
    } finally {
      read.mockRestore()
    }
  }

  it('is read in slices, between which others get their turn', async () => {
    await put({ 'policy.bundle': large })
    const from = source()
    const reads = await readsDuring(async () => {
      const head = await from.head(scope, never)
      expect(head.policyHash).toBe(digest(crypto, large))
      expect(Buffer.compare(await from.load(scope, head, never), large)).toBe(0)
    })
    expect(reads).toHaveLength(12)
    expect(Math.max(...reads)).toBe(1024 * 1024)
  })

  it('is not read again while it is the same', async () => {
    await put({ 'policy.bundle': large })
    const from = await sourceAfter(3_000)
    const { policyHash } = await from.head(scope, never)
    const reads = await readsDuring(async () => {
      expect((await from.head(scope, never)).policyHash).toBe(policyHash)
    })
    expect(reads).toEqual([])
  })

  it('is read again when it changed, though its size and modification time are the same', async () => {
    await put({ 'policy.bundle': large })
    await fs.utimes(path(), 1, 1)
    const from = await sourceAfter(3_000)
    const { policyHash } = await from.head(scope, never)
    const other = Uint8Array.from(large).fill(0x0a, 0, 1)
    await put({ 'policy.bundle': other })
    const { ctimeNs } = await fs.stat(path(), { bigint: true })
    // The time of the change itself cannot be set; it moves with the clock of the file system.
    do await fs.utimes(path(), 1, 1)
    while ((await fs.stat(path(), { bigint: true })).ctimeNs === ctimeNs)
    expect((await from.head(scope, never)).policyHash).toBe(digest(crypto, other))
    expect(policyHash).not.toBe(digest(crypto, other))
  })

  it('is read again after a change so new that its times would not tell of another', async () => {
    await put({ 'policy.bundle': large })
    const from = await sourceAfter(1_000)
    await from.head(scope, never)
    expect(await readsDuring(() => from.head(scope, never))).toHaveLength(6)
  })
})

describe('a mounted file', () => {
  it('is a bundle with its signature beside it, or authored policy, by its name', async () => {
    await put({ 'a.bundle': first.bytes, 'a.bundle.sig': first.signature, 'b.yml': authored })
    const { bytes, signatures } = await delivered(source({ path: join(folder, 'a.bundle') }))
    expect(bytes).toEqual(first.bytes)
    expect(signatures).toHaveLength(1)
    expect(
      inspect((await delivered(source({ path: join(folder, 'b.yml') }))).bytes).policyEpoch,
    ).toBe(1)
  })
})

describe('a folder that the kubelet keeps', () => {
  it('is followed from one generation to the next', async () => {
    await kubelet(folder, '..2026_1', files(first))
    const from = source()
    const file = source({ path: join(folder, 'policy.bundle') })
    expect((await delivered(from)).bytes).toEqual(first.bytes)
    await kubelet(folder, '..2026_2', files(second))
    expect((await delivered(from)).bytes).toEqual(second.bytes)
    expect((await delivered(file)).bytes).toEqual(second.bytes)
  })
})
