import type { Brand } from '../bytes/brand.ts'
import { type Digest, digestOf, equalDigests } from '../bytes/digest.ts'
import { equalBytes } from '../bytes/equal.ts'
import { finish, type Steps } from '../bytes/finish.ts'
import { sha256Sliced, verifySignatureLater } from '../crypto/sliced.ts'
import type { KeyId } from '../crypto/key-id.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { TrustRoot } from '../trust/root.ts'
import type { Scope } from '../trust/scope.ts'
import { type Proof, type Signatures, type Verifies, verifySignatures } from './signature.ts'

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
  /** As they came. */
  readonly signatures: Signatures
  /** The signatures that counted, by key id; empty when the bundle is taken unsigned. */
  readonly proofs: readonly Proof[]
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

/** How one signature over the bytes is verified. */
type VerifySignature = (
  crypto: Crypto,
  publicKey: Uint8Array,
  signature: Uint8Array,
  bytes: Uint8Array,
) => Steps<boolean> | boolean

/**
 * Hash and signatures over bytes that nobody has parsed (design 3.2, steps 4 and 5), with pauses. Throws
 * `HASH_MISMATCH`, `TRUST_KEY_MISSING` or a code of `verifySignatures`.
 */
export function* verifySliced(
  bundle: UnverifiedBundle,
  verification: Verification,
  crypto: Crypto,
  verifySignature: VerifySignature = verifySignatureLater,
): Steps<VerifiedBytes> {
  const { scope } = verification
  const { bytes, signatures } = bundle
  const policyHash = digestOf(yield* sha256Sliced(crypto, bytes))
  if (bundle.policyHash !== undefined && !equalDigests(bundle.policyHash, policyHash)) {
    throw new KernelError(
      'HASH_MISMATCH',
      `the head names ${bundle.policyHash}, the bytes hash to ${policyHash}`,
    )
  }
  const proofs = yield* vouch(signatures, verification, (publicKey, signature) =>
    verifySignature(crypto, publicKey, signature, bytes),
  )
  const keyIds = proofs.map(({ keyId }) => keyId)
  const provenance = isSigned(verification) ? 'signed' : 'unsigned'
  const verified: Verified = { bytes, policyHash, scope, signatures, proofs, keyIds, provenance }
  return Object.freeze(verified) as VerifiedBytes
}

/** `verifySliced` without the pauses. */
export function verify(
  bundle: UnverifiedBundle,
  verification: Verification,
  crypto: Crypto,
): VerifiedBytes {
  return atOnce(
    verifySliced(bundle, verification, crypto, ({ verify }, publicKey, signature, bytes) =>
      verify(publicKey, signature, bytes),
    ),
  )
}

/**
 * Step 5 again on bytes that were verified before, from what was proven then: the same key, signature
 * and bytes give the same answer. Throws a code of `verifySignatures`, `SIGNATURE_INVALID` also for a
 * signature that was not proven: whoever has the bytes can then look.
 */
export function verifyAgain(
  signatures: Signatures,
  proofs: readonly Proof[],
  verification: Verification,
): readonly Proof[] {
  const isProven = (publicKey: Uint8Array, signature: Uint8Array): boolean =>
    proofs.some(
      (proof) => equalBytes(proof.publicKey, publicKey) && equalBytes(proof.signature, signature),
    )
  return atOnce(vouch(signatures, verification, isProven))
}

/** Runs a verification that waits for nothing: its signatures are answered for on the spot. */
function atOnce<T>(steps: Steps<T>): T {
  return finish(steps as Generator<undefined, T>)
}

function* vouch(
  signatures: Signatures,
  verification: Verification,
  verifies: Verifies,
): Steps<readonly Proof[]> {
  const { trust, scope, signatureRequired } = verification
  if (isSigned(verification)) return yield* verifySignatures(signatures, trust, scope, verifies)
  if (!signatureRequired) return []
  throw new KernelError(
    'TRUST_KEY_MISSING',
    'signatures are required, but no trust key is configured: set HELM_POLICY_TRUST_PUBLIC_KEY or HELM_POLICY_TRUST_ROOT',
  )
}

/** A key that is configured is enforced, required or not (design 2.5). */
function isSigned({ trust }: Verification): boolean {
  return trust.keys.length > 0
}
