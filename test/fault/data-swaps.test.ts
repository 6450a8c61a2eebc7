import { execFileSync } from 'node:child_process'
import nodeFs from 'node:fs'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { digest, isKernelError, type PolicySource } from '@helm-ai-kernel/core'
import { encodeSignatures } from '@helm-ai-kernel/core/bundle'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { mountedFile } from '../../packages/host/src/source/mounted-file.ts'
import { signedBundle } from '../support/kernel.ts'
import { kubelet } from '../support/kubelet.ts'
import { scope } from '../support/policy.ts'
import type { SwapperData } from '../support/swapper.ts'

const swaps = Number(process.env['HELM_TEST_SWAPS'] ?? 10_000)

let root: string
let folder: string

beforeEach(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'helm-swaps-'))
  folder = join(root, 'mounted')
  await fs.mkdir(folder)
})

afterEach(async () => {
  vi.restoreAllMocks()
  await fs.rm(root, { recursive: true, force: true })
})

const { signal: never } = new AbortController()

function source(now: () => number = Date.now): PolicySource {
  const options = { path: folder, scope, crypto, unsigned: () => false }
  return mountedFile({ ...options, clock: { now }, mark: async () => undefined })
}

function filesOf({ bytes, signature }: ReturnType<typeof signedBundle>) {
  return { 'policy.bundle': bytes, 'policy.bundle.sig': signature }
}

describe('a folder that the kubelet keeps', () => {
  it(`gives no bundle with the signature of another in ${swaps} swaps, and then the last one`, async () => {
    for (const name of ['watch', 'watchFile'] as const) {
      vi.spyOn(nodeFs, name).mockImplementation(() => {
        throw new Error('file events are suppressed')
      })
    }
    const bundles = Array.from({ length: 50 }, (_, i) => signedBundle(i + 1))
    const signatureOf = new Map<string, string>(
      bundles.map(({ bytes, signature }) => [digest(crypto, bytes), hex(signature)]),
    )
    const contents = bundles.map(filesOf)
    await kubelet(folder, '..0', contents[0] ?? {})
    const swapper = await startSwapper({ folder, contents, swaps })
    // One remembers digests of files as new as these, which only the generation's name makes safe.
    const sources = [source(), source(() => Date.now() + 3_600_000)] as const
    const seen = { delivered: 0, again: 0, mixed: 0 }
    for (let look = 1; swapper.begin(look); look++) {
      seen[await lookAt(sources[look % 2 === 0 ? 0 : 1], signatureOf)]++
    }
    await swapper.ended
    expect(seen.mixed).toBe(0)
    expect(seen.delivered).toBeGreaterThan(swaps / 100)

    const last = bundles[swaps % bundles.length]
    for (const from of sources) {
      const head = await from.head(scope, never)
      expect(await from.load(scope, head, never)).toEqual(last?.bytes)
      expect(encodeSignatures(head.signatures)).toEqual(last?.signature)
    }
  }, 300_000)
})

describe('what lies in a policy folder', () => {
  const at = (...names: readonly string[]) => join(folder, ...names)
  const outside = (...names: readonly string[]) => join(root, 'outside', ...names)
  const bundle = signedBundle()

  beforeEach(async () => {
    for (const place of [folder, outside()]) {
      await fs.mkdir(place, { recursive: true })
      await fs.writeFile(join(place, 'policy.bundle'), bundle.bytes)
      await fs.writeFile(join(place, 'policy.bundle.sig'), bundle.signature)
    }
  })

  async function replaceByLink(name: string): Promise<void> {
    await fs.rm(at(name))
    await fs.symlink(outside(name), at(name))
  }

  it.each<[string, () => Promise<unknown>]>([
    ['a bundle that links out of it', () => replaceByLink('policy.bundle')],
    ['a signature that links out of it', () => replaceByLink('policy.bundle.sig')],
    ['a ..data that links out of it', () => fs.symlink('../outside', at('..data'))],
    ['a ..data that names another place', () => fs.symlink(outside(), at('..data'))],
    ['a generation that links out of it', () => linkedGeneration()],
    ['a pipe, for whose writer nobody waits', () => pipe('policy.bundle')],
    ['a pipe as the signature', () => pipe('policy.bundle.sig')],
    ['a folder named as the bundle', () => fs.rm(at('policy.bundle')).then(folderAsBundle)],
  ])('is refused: %s', async (_what, put) => {
    await source().head(scope, never)
    await put()
    await expect(source().head(scope, never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })

  it('is refused: a file that becomes a link just before it is opened', async () => {
    const { open } = fs
    const opened = vi.spyOn(fs, 'open').mockImplementationOnce(async (path, ...more) => {
      await replaceByLink('policy.bundle')
      return open(path, ...more)
    })
    await expect(source().head(scope, never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(opened).toHaveBeenCalledOnce()
  })

  async function linkedGeneration(): Promise<void> {
    await fs.symlink(outside(), at('..1'))
    await fs.symlink('..1', at('..data'))
  }

  async function pipe(name: string): Promise<void> {
    await fs.rm(at(name))
    execFileSync('mkfifo', [at(name)])
  }

  const folderAsBundle = () => fs.mkdir(at('policy.bundle'))
})

async function lookAt(
  from: PolicySource,
  signatureOf: ReadonlyMap<string, string>,
): Promise<'delivered' | 'again' | 'mixed'> {
  try {
    const head = await from.head(scope, never)
    if (signatureOf.get(head.policyHash) !== hex(encodeSignatures(head.signatures))) return 'mixed'
    const bytes = await from.load(scope, head, never)
    return digest(crypto, bytes) === head.policyHash ? 'delivered' : 'mixed'
  } catch (error) {
    if (isKernelError(error, 'HASH_MISMATCH') || isKernelError(error, 'SOURCE_UNREACHABLE')) {
      return 'again'
    }
    throw error
  }
}

interface Swapper {
  /** Lets the swaps of one more look happen; false when there are no more. */
  begin(look: number): boolean
  readonly ended: Promise<void>
}

async function startSwapper(data: Omit<SwapperData, 'shared'>): Promise<Swapper> {
  const outfile = join(root, 'swapper.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('../support/swapper.ts', import.meta.url))],
    outfile,
    platform: 'node',
    format: 'esm',
  })
  const shared = new SharedArrayBuffer(8)
  const counters = new Int32Array(shared)
  const workerData: SwapperData = { ...data, shared }
  const worker = new Worker(outfile, { workerData })
  let running = true
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  }).finally(() => (running = false))
  const begin = (look: number): boolean => {
    Atomics.store(counters, 0, look)
    Atomics.notify(counters, 0)
    return running && Atomics.load(counters, 1) < data.swaps
  }
  return { begin, ended }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
