import fs from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import {
  type Crypto,
  type Digest,
  digest,
  KernelError,
  type Mark,
  type PolicySource,
  type Scope,
} from '@helm-ai-kernel/core'
import { parseSignatures } from '@helm-ai-kernel/core/bundle'
import { buildAuthored, isAuthored, maxAuthoredBytes, parseAuthored } from './authoring.ts'
import { type Generation, inOneGeneration } from './generation.ts'

export interface MountedFileOptions {
  /** A folder, or one file. */
  readonly path: string
  /** The only scope that it has policy for. */
  readonly scope: Scope
  readonly crypto: Crypto
  /** Whether policy that nobody signed may be served: the authoring form has no signature. */
  readonly unsigned: boolean
  /** The newest unsigned activation of the scope, from which an authored policy's epoch follows. */
  mark(): Promise<Mark | undefined>
}

/** One look at the files. */
interface Delivery {
  readonly name: string
  /** Of the bundle; of an authored policy, what was built from it. */
  readonly bytes: Uint8Array
  readonly signature: Uint8Array | undefined
  readonly policyHash: Digest
}

const maxBundleBytes = 64 * 1024 * 1024
const maxSignatureBytes = 16 * 1024
const names = ['policy.bundle', 'policy.yaml', 'policy.json'] as const

/**
 * Policy from a folder or a file, such as a mounted ConfigMap or Secret (design 3.2, Sources). Its head
 * is the digest of the bytes: nothing that may be signed is parsed here.
 */
export function mountedFile(options: MountedFileOptions): PolicySource {
  const { scope, crypto } = options
  const path = resolve(options.path)
  /** What the newest head spoke of, until it is loaded: so that head and bytes belong together. */
  let latest: Delivery | undefined
  let built: { readonly from: string; readonly bytes: Uint8Array } | undefined

  return Object.freeze({
    scopes: async () => [scope],
    async head() {
      latest = await deliver()
      const { policyHash, name } = latest
      return { scope, policyEpoch: undefined, policyHash, bundleRef: name, signatures: [] }
    },
    async load(_scope, head) {
      const { bytes, signature, name, policyHash } = latest ?? (await deliver())
      latest = undefined
      if (policyHash !== head.policyHash) {
        throw new KernelError('HASH_MISMATCH', `${name} changed since the head was made of it`)
      }
      const signatures = signature === undefined ? [] : parseSignatures(signature)
      return { bytes, signatures, bundleRef: name }
    },
  } satisfies PolicySource)

  async function deliver(): Promise<Delivery> {
    const folder = await isFolder(path)
    return inOneGeneration(folder ? path : dirname(path), async (generation) => {
      const name = folder ? await theOne(generation) : basename(path)
      return isAuthored(name) ? authored(name, generation) : bundle(name, generation)
    })
  }

  async function theOne(generation: Generation): Promise<string> {
    const present = await generation.names()
    const [name, other] = names.filter((candidate) => present.includes(candidate))
    if (name === undefined) {
      throw new KernelError(
        'SOURCE_EMPTY',
        `${path} holds none of ${names.join(', ')}: put a signed bundle there`,
      )
    }
    if (other !== undefined) {
      throw new KernelError('SOURCE_AMBIGUOUS', `${path} holds ${name} and ${other}: remove one`)
    }
    return name
  }

  async function bundle(name: string, generation: Generation): Promise<Delivery> {
    const bytes = await needed(generation, name, maxBundleBytes)
    const signature = await generation.read(`${name}.sig`, maxSignatureBytes)
    return { name, bytes, signature, policyHash: digest(crypto, bytes) }
  }

  async function authored(name: string, generation: Generation): Promise<Delivery> {
    if (!options.unsigned) {
      throw new KernelError(
        'SIGNATURE_MISSING',
        `${name} is not signed, and this kernel takes signed policy alone: ` +
          'build a policy.bundle of it, sign that, and mount both instead',
      )
    }
    const bytes = build(
      name,
      await needed(generation, name, maxAuthoredBytes),
      await options.mark(),
    )
    return { name, bytes, signature: undefined, policyHash: digest(crypto, bytes) }
  }

  /** Built again only when the file or the mark is another: the source is asked every few seconds. */
  function build(name: string, file: Uint8Array, mark: Mark | undefined): Uint8Array {
    const from = [name, digest(crypto, file), mark?.epoch, mark?.hash].join()
    if (built?.from !== from) {
      const bytes = buildAuthored(parseAuthored(file, name), scope, mark, crypto)
      built = { from, bytes }
    }
    return built.bytes
  }

  async function needed(
    generation: Generation,
    name: string,
    maxBytes: number,
  ): Promise<Uint8Array> {
    const bytes = await generation.read(name, maxBytes)
    if (bytes === undefined) {
      throw new KernelError('SOURCE_EMPTY', `there is no ${name} in ${dirname(path)}`)
    }
    return bytes
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await fs.stat(path)).isDirectory()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new KernelError('SOURCE_UNREACHABLE', `no policy can be read: ${message}`, { cause })
  }
}
