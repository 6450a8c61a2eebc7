import {
  type Crypto,
  equalBytes,
  KernelError,
  type KernelSigner,
  noTrust,
  parseTrustRoot,
  trustKeys,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import type { Configuration } from './configuration/index.ts'
import { readTrustRoot } from './trust-watch.ts'

/**
 * Who may sign policy (design 2.5): of the file, of the short form, or nobody. Throws `CONFIG_INVALID`,
 * `TRUST_ROOT_INVALID` or `KEY_INVALID`.
 */
export async function loadTrust(configuration: Configuration, crypto: Crypto): Promise<TrustRoot> {
  const { policyTrustRoot: path, policyTrustPublicKey: keys } = configuration
  if (keys !== undefined) return trustKeys(keys, crypto)
  return path === undefined
    ? noTrust
    : parseTrustRoot(await readTrustRoot(path, new AbortController().signal), crypto)
}

/**
 * A key that signs policy must not be one with which this kernel signs (design 2.3): whoever reads the
 * pod's seed could then write its policy. Throws `CONFIG_INVALID`.
 */
export function checkOwnKeys(trust: TrustRoot, own: KernelSigner): void {
  for (const { keyId, publicKey } of trust.keys) {
    for (const [what, { publicKey: mine }] of Object.entries({ receipt: own, log: own.log })) {
      if (!equalBytes(publicKey, mine)) continue
      throw new KernelError(
        'CONFIG_INVALID',
        `the trust key ${keyId} is this kernel's own ${what} key: sign policy with a key of its own`,
      )
    }
  }
}

/** Whether policy that nobody signed is installed: only while there is nobody who could sign it. */
export function takesUnsigned(
  { policySignatureRequired }: Configuration,
  trust: TrustRoot,
): boolean {
  return trust.keys.length === 0 && !policySignatureRequired
}
