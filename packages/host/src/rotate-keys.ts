import { resolve } from 'node:path'
import {
  encodeHex,
  equalBytes,
  KernelError,
  type KeyId,
  keyIdOf,
  type ReceiptId,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { parseConfiguration } from './configuration/index.ts'
import { keysOf } from './ledger-keys.ts'
import { nodeCrypto } from './node-crypto.ts'
import type { CommandIo } from './run-serve.ts'
import { type StoppedKernelOptions, withStoppedKernel } from './stopped-kernel.ts'
import { loadTrust } from './trust.ts'

export interface RotateKeysOptions extends StoppedKernelOptions {
  /** Public key of the successor, 32 bytes. */
  readonly next: Uint8Array
}

export interface Rotation {
  /** The key that has ended. */
  readonly ended: KeyId
  readonly successor: KeyId
  /** What was written; undefined when the key had named this successor before. */
  readonly receipt: { readonly receiptId: ReceiptId; readonly logIndex: number } | undefined
}

/**
 * A planned rotation (design 4.4): the key that signs a ledger names its successor, signs a last
 * checkpoint, and signs nothing more. The successor begins when the kernel is started with its seed.
 * Throws `KEY_INVALID`, `LEDGER_LOCKED`, `LEDGER_MISSING`, `KEY_CHANGED` or `CONFIG_INVALID`.
 */
export async function rotateKeys(options: RotateKeysOptions, io: CommandIo): Promise<Rotation> {
  const { next } = options
  refuseTrusted(await trustOf(io), next)
  return withStoppedKernel(options, io, async ({ kernel, receipts, keyFault, signer }) => {
    const successor = keyIdOf(nodeCrypto, next)
    if (keyFault() === undefined && successor !== signer.keyId) {
      const before = await keysOf(receipts, nodeCrypto)
      if (before.some((key) => key.public_key === encodeHex(next))) {
        throw new KernelError(
          'KEY_INVALID',
          `the next key ${successor} signed in this ledger before: make a new one with keygen`,
        )
      }
    }
    const written = await kernel.authority.endKey(next)
    const receipt = written && { receiptId: written.receiptId, logIndex: written.logIndex }
    return { ended: signer.keyId, successor, receipt }
  })
}

/** As the kernel would have it, which then refuses to start with one of these keys as its own. */
function trustOf({ env, cwd }: CommandIo): Promise<TrustRoot> {
  const { HELM_POLICY_TRUST_PUBLIC_KEY: keys, HELM_POLICY_TRUST_ROOT: root } = env
  const { configuration } = parseConfiguration({
    environment: {
      HELM_POLICY_TRUST_PUBLIC_KEY: keys,
      HELM_POLICY_TRUST_ROOT: root && resolve(cwd, root),
    },
    sources: ['mountedFile'],
  })
  return loadTrust(configuration, nodeCrypto)
}

function refuseTrusted({ keys }: TrustRoot, next: Uint8Array): void {
  const trusted = keys.find(({ publicKey }) => equalBytes(publicKey, next))
  if (trusted === undefined) return
  throw new KernelError(
    'KEY_INVALID',
    `the next key ${trusted.keyId} is trusted to sign policy: sign receipts with a key of their own`,
  )
}
