import type { Brand } from '../bytes/brand.ts'
import { type Digest, digest, equalDigests } from '../bytes/digest.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { KeyId } from '../crypto/key-id.ts'
import type { TrustRoot } from '../trust/root.ts'
import type { Scope } from '../trust/scope.ts'
import { type Signatures, verifySignatures } from './signature.ts'

/** What a source delivered. Opaque: nothing in it has been parsed, and nothing may be. */
export interface UnverifiedBundle {
  readonly bytes: Uint8Array
  readonly signatures: Signatures
  /** What the head said the bytes hash to; undefined when no head came with them. */
  readonly policyHash: Digest | undefined
}

interface Verified {
  readonly bytes: Uint8Array
  readonly policyHash: Digest
  /** The scope for which the signing keys were allowed. */
  readonly scope: Scope
  /** Keys whose signatures counted, sorted; empty when the bundle is taken unsigned. */
  readonly keyIds: readonly KeyId[]
  readonly provenance: Provenance
}

/** How a policy is vouched for. */
export type Provenance = 'signed' | 'unsigned'

/** Bundle bytes whose hash and signatures were verified. Only `verify` makes them. */
export type VerifiedBytes = Brand<Verified, 'VerifiedBytes'>

export const maxBundleBytes: number = 64 * 1024 * 1024

export interface Verification {
  readonly trust: TrustRoot
  readonly scope: Scope
  /** Whether unsigned bundles are refused even when no trust key is configured. */
  readonly signatureRequired: boolean
}

/**
 * Hash and signatures over bytes that nobody has parsed (design 3.2, steps 4 and 5). Throws
 * `HASH_MISMATCH`, `TRUST_KEY_MISSING` or a code of `verifySignatures`.
 */
export function verify(
  bundle: UnverifiedBundle,
  verification: Verification,
  crypto: Crypto,
): VerifiedBytes {
  const { trust, scope, signatureRequired } = verification
  const { bytes, signatures } = bundle
  const policyHash = digest(crypto, bytes)
  if (bundle.policyHash !== undefined && !equalDigests(bundle.policyHash, policyHash)) {
    throw new KernelError(
      'HASH_MISMATCH',
      `the head names ${bundle.policyHash}, the bytes hash to ${policyHash}`,
    )
  }
  // A key that is configured is enforced, required or not (design 2.5).
  const signed = trust.keys.length > 0
  if (!signed && signatureRequired) {
    throw new KernelError(
      'TRUST_KEY_MISSING',
      'signatures are required, but no trust key is configured: set HELM_POLICY_TRUST_PUBLIC_KEY or HELM_POLICY_TRUST_ROOT',
    )
  }
  const verified: Verified = {
    bytes,
    policyHash,
    scope,
    keyIds: signed ? verifySignatures(bytes, signatures, trust, scope, crypto) : [],
    provenance: signed ? 'signed' : 'unsigned',
  }
  return Object.freeze(verified) as VerifiedBytes
}
