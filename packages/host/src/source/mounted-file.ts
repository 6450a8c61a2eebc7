import fs from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import {
  type Cancel,
  type Clock,
  type Crypto,
  digest,
  equalDigests,
  isKernelError,
  KernelError,
  type Mark,
  messageOf,
  type PolicySource,
  type Scope,
} from '@helm-ai-kernel/core'
import { parseSignatures, type Signatures } from '@helm-ai-kernel/core/bundle'
import { buildAuthored, isAuthored, maxAuthoredBytes, parseAuthored } from './authoring.ts'
import { fileDigests, type HashedBytes, hashedBytes } from './file-digest.ts'
import { type Generation, inOneGeneration } from './generation.ts'
import { bytesOf, type OpenFile } from './open-file.ts'

export interface MountedFileOptions {
  /** A folder, or one file. */
  readonly path: string
  /** The only scope that it has policy for. */
  readonly scope: Scope
  readonly crypto: Crypto
  readonly clock: Pick<Clock, 'now'>
  /** Whether policy that nobody signed may be served now: the authoring form has no signature. */
  unsigned(): boolean
  /** The newest unsigned activation of the scope, from which an authored policy's epoch follows. */
  mark(): Promise<Mark | undefined>
}

const maxBundleBytes = 64 * 1024 * 1024
const maxSignatureBytes = 16 * 1024
const names = ['policy.bundle', 'policy.yaml', 'policy.json'] as const
const correct = 'or correct HELM_POLICY_PATH'

/**
 * Policy from a folder or a file, such as a mounted ConfigMap or Secret (design 3.2, Sources). Its head
 * is the digest of the bytes, with the signatures beside them: nothing that may be signed is parsed.
 */
export function mountedFile(options: MountedFileOptions): PolicySource {
  const { scope, crypto } = options
  const path = resolve(options.path)
  const digests = fileDigests(crypto, options.clock)
  let built: (HashedBytes & { readonly from: string }) | undefined

  return Object.freeze({
    scopes: async () => [scope],
    head: (_scope, cancel) =>
      look(cancel, async (generation, name) => {
        const head = { scope, policyEpoch: undefined, bundleRef: name }
        if (isAuthored(name)) {
          const { digest: policyHash } = await authored(generation, name)
          return { ...head, policyHash, signatures: [] }
        }
        const policyHash = await needed(generation, name, maxBundleBytes, (file) =>
          digests.of(file),
        )
        return { ...head, policyHash, signatures: await signaturesOf(generation, name) }
      }),
    // Read again, and not kept since the head was made: most heads are of policy that is installed.
    load: (_scope, head, cancel) =>
      look(cancel, async (generation, name) => {
        const read = isAuthored(name)
          ? await authored(generation, name)
          : await needed(generation, name, maxBundleBytes, (file) => hashedBytes(file, crypto))
        // INVARIANT: the signatures are of the head's generation, and so are the bytes: no others
        // have this digest.
        if (equalDigests(read.digest, head.policyHash)) return read.bytes
        throw new KernelError(
          'HASH_MISMATCH',
          `${name} changed since its head was made: it is read again at the next attempt`,
        )
      }),
    settled: () => undefined,
  } satisfies PolicySource)

  /** Reads what belongs together; `read` gets the name of the policy among the files. */
  async function look<T>(
    cancel: Cancel,
    read: (generation: Generation, name: string) => Promise<T>,
  ): Promise<T> {
    const isFolder = await isFolderAt(path)
    return inOneGeneration(isFolder ? path : dirname(path), cancel, async (generation) =>
      read(generation, isFolder ? await theOne(generation) : basename(path)),
    )
  }

  async function theOne(generation: Generation): Promise<string> {
    const present = await generation.names()
    const [name, other] = names.filter((candidate) => present.includes(candidate))
    if (name === undefined) {
      throw new KernelError(
        'SOURCE_EMPTY',
        `${path} holds none of ${names.join(', ')}: put a signed bundle there, ${correct}`,
      )
    }
    if (other !== undefined) {
      throw new KernelError('SOURCE_AMBIGUOUS', `${path} holds ${name} and ${other}: remove one`)
    }
    return name
  }

  async function signaturesOf(generation: Generation, name: string): Promise<Signatures> {
    const bytes = await generation.open(`${name}.sig`, maxSignatureBytes, (file) => bytesOf(file))
    return bytes === undefined ? [] : naming(`${name}.sig`, () => parseSignatures(bytes))
  }

  async function authored(generation: Generation, name: string): Promise<HashedBytes> {
    if (!options.unsigned()) {
      throw new KernelError(
        'SIGNATURE_MISSING',
        `${name} is not signed, and this kernel takes signed policy alone: ` +
          'build a policy.bundle of it, sign that, and mount both instead',
      )
    }
    const file = await needed(generation, name, maxAuthoredBytes, (open) =>
      hashedBytes(open, crypto),
    )
    return build(name, file, await options.mark())
  }

  /** Built again only when the file or the mark is another: the source is asked every few seconds. */
  function build(name: string, file: HashedBytes, mark: Mark | undefined): HashedBytes {
    const from = [name, file.digest, mark?.epoch, mark?.hash].join()
    if (built?.from === from) return built
    const authoredPolicy = parseAuthored(file.bytes, name)
    const bytes = naming(name, () => buildAuthored(authoredPolicy, scope, mark, crypto))
    built = { from, bytes, digest: digest(crypto, bytes) }
    return built
  }

  async function needed<T>(
    generation: Generation,
    name: string,
    maxBytes: number,
    work: (file: OpenFile) => Promise<T>,
  ): Promise<T> {
    const result = await generation.open(name, maxBytes, work)
    if (result !== undefined) return result
    throw new KernelError(
      'SOURCE_EMPTY',
      `there is no ${name} at ${path}: put it there, ${correct}`,
    )
  }
}

/** Does `work`; what it refuses names the file. */
function naming<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!isKernelError(cause)) throw cause
    throw new KernelError(cause.code, `${name}: ${cause.message}`, { cause })
  }
}

async function isFolderAt(path: string): Promise<boolean> {
  try {
    return (await fs.stat(path)).isDirectory()
  } catch (cause) {
    throw new KernelError(
      'SOURCE_UNREACHABLE',
      `no policy can be read: ${messageOf(cause)}; mount policy there, ${correct}`,
      { cause },
    )
  }
}
