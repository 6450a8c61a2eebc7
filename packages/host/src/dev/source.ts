import fs from 'node:fs/promises'
import { basename, join } from 'node:path'
import { celConditions } from '@helm-ai-kernel/cel'
import {
  type Cancel,
  createKernel,
  digest,
  type InstallResult,
  memoryStore,
  type PolicySource,
  type Scope,
  type Signer,
  signer,
} from '@helm-ai-kernel/core'
import { encodeSignatures, type Signatures, signBundle } from '@helm-ai-kernel/core/bundle'
import { hostRandom } from '../random.ts'
import { buildAuthored, parseAuthored } from '../source/authoring.ts'
import { mountedFile } from '../source/mounted-file.ts'
import type { SourceContext } from '../source/sources.ts'

export interface DevSourceOptions {
  /** The authored policy that a person edits. */
  readonly policyFile: string
  /** Where the bundle built from it is put, and served from. */
  readonly folder: string
  readonly policySigner: Signer
  /** Says to the person what became of a change. */
  readonly tell: (message: string) => void
}

/**
 * The source of `dev`: a mounted folder whose bundle is built from the authored policy, with the next
 * epoch, and signed, whenever that has changed. What does not install is told, and never written.
 */
export function devSource(options: DevSourceOptions, context: SourceContext): PolicySource {
  const { policyFile, folder, policySigner, tell } = options
  const { scope, crypto, clock, trust, receipts } = context
  const served = mountedFile({
    path: folder,
    scope,
    crypto,
    clock,
    unsigned: () => false,
    mark: async () => undefined,
  })
  /** Digest of the text of the bundle that is served. */
  let built: string | undefined
  let told: string | undefined

  return Object.freeze({
    ...served,
    async head(asked: Scope, cancel: Cancel) {
      await follow()
      return served.head(asked, cancel)
    },
  })

  async function follow(): Promise<void> {
    try {
      const text = await fs.readFile(policyFile)
      const now = digest(crypto, text)
      if (now !== built) {
        const epoch = await rebuild(text)
        if (built !== undefined) tell(`${policyFile} is built and signed as epoch ${epoch}`)
        built = now
      }
      told = undefined
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error)
      if (fault !== told) tell(`${policyFile} is not used, the last good one stays: ${fault}`)
      told = fault
    }
  }

  async function rebuild(text: Uint8Array): Promise<number> {
    const mark = (await receipts.state()).scope(scope).signed
    const bytes = buildAuthored(parseAuthored(text, basename(policyFile)), scope, mark, crypto)
    const signatures = [signBundle(bytes, policySigner)]
    const { policyEpoch } = await tryInstall(bytes, signatures)
    await fs.mkdir(folder, { recursive: true })
    await replace('policy.bundle.sig', encodeSignatures(signatures))
    await replace('policy.bundle', bytes)
    return policyEpoch
  }

  /** All that the real kernel will check, in one that is thrown away. */
  function tryInstall(bytes: Uint8Array, signatures: Signatures): Promise<InstallResult> {
    return createKernel({
      trust: trust(),
      store: memoryStore(),
      signer: signer(hostRandom.bytes(32), crypto),
      clock,
      random: hostRandom,
      crypto,
      conditions: celConditions(),
      scope,
    }).install(bytes, signatures)
  }

  async function replace(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(folder, name)
    await fs.writeFile(`${path}.part`, bytes)
    await fs.rename(`${path}.part`, path)
  }
}
