import { parseSignatures, type Signatures } from '../bundle/signature.ts'
import { maxBundleBytes, type UnverifiedBundle } from '../bundle/verify.ts'
import type { Digest } from '../bytes/digest.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Scope } from '../trust/scope.ts'

/** Where a bundle came from, and what the head said of it. */
export interface InstallOptions {
  readonly scope?: Scope
  /** Of the head: what the bytes must hash to, and the epoch they must say. */
  readonly policyHash?: Digest
  readonly policyEpoch?: number
  /** For the activation receipt. Default `install` and empty. */
  readonly source?: string
  readonly bundleRef?: string
  /** Ms without a new verification after which the policy is stale. Default: it never is. */
  readonly maxAge?: number
}

/** The bytes of a `.sig` file, its text, or signatures that were read before. */
export type SignatureInput = Uint8Array | string | Signatures

/** A millisecond of copying into memory that is touched for the first time. */
const slice = 1 << 20

/**
 * Takes a delivery into bytes of our own, yielding between slices. INVARIANT: nothing that will be
 * verified can be changed by whoever gave it. Throws `SOURCE_TOO_LARGE` or `SIGNATURE_INVALID`.
 */
export function* deliverSliced(
  bytes: Uint8Array,
  signatures: SignatureInput | undefined,
  { policyHash }: InstallOptions,
): Generator<undefined, UnverifiedBundle> {
  if (bytes.length > maxBundleBytes) {
    throw new KernelError('SOURCE_TOO_LARGE', 'a bundle is at most 64 MiB')
  }
  const own = new Uint8Array(bytes.length)
  const taken = signaturesOf(signatures)
  for (let from = 0; from < own.length; from += slice) {
    own.set(bytes.subarray(from, from + slice), from)
    yield
  }
  return { bytes: own, signatures: taken, policyHash }
}

function signaturesOf(input: SignatureInput | undefined): Signatures {
  if (input === undefined) return []
  if (typeof input === 'string') return parseSignatures(encodeUtf8(input))
  const signatures = input instanceof Uint8Array ? parseSignatures(input) : input
  if (signatures.filter(({ keyId }) => keyId === undefined).length > 1) {
    throw new KernelError('SIGNATURE_INVALID', 'of several signatures each needs its key_id')
  }
  return signatures
}
