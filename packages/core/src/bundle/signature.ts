import { decodeJson } from '../bytes/decode.ts'
import type { Steps } from '../bytes/finish.ts'
import { decodeHex, encodeHex } from '../bytes/hex.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Signer } from '../ports/crypto.ts'
import * as v from '../schema.ts'
import { isKeyId, type KeyId } from '../crypto/key-id.ts'
import { keysFor, type TrustKey, type TrustRoot } from '../trust/root.ts'
import type { Scope } from '../trust/scope.ts'

/** One signature; `keyId` is a hint, and absent in the one-line form. */
export interface BundleSignature {
  readonly keyId: KeyId | undefined
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** The signatures that came with a bundle; empty when none did. */
export type Signatures = readonly BundleSignature[]

const list = v.pipe(
  v.array(
    v.strictObject({ key_id: v.custom<KeyId>(isKeyId, 'must be a key id'), signature: v.string() }),
  ),
  v.minLength(1),
  v.maxLength(16),
)

/**
 * Reads a `.sig` file (design 2.3): one line of 128 hex, or a JSON list of at most 16
 * `{"key_id","signature"}`. Throws `SIGNATURE_INVALID`.
 */
export function parseSignatures(bytes: Uint8Array): Signatures {
  const code = 'SIGNATURE_INVALID'
  if (bytes.length > 16_384) throw new KernelError(code, 'a signature file is at most 16 KiB')
  if (bytes[0] === 0x5b) {
    return signatureList(decodeJson(bytes, { maxBytes: 16_384, code, what: 'signature list' }))
  }
  const line = /^([0-9a-fA-F]{128})\r?\n?$/.exec(latin1(bytes))?.[1]
  if (line === undefined) {
    throw new KernelError(code, 'a signature file is one line of 128 hex digits, or a JSON list')
  }
  return [bareSignature(line)]
}

/** A signature without a key id, from 128 hex. Throws `SIGNATURE_INVALID`. */
export function bareSignature(hex: string): BundleSignature {
  return { keyId: undefined, signature: signatureBytes(hex) }
}

/** The list form, from decoded JSON. Throws `SIGNATURE_INVALID`. */
export function signatureList(json: unknown): Signatures {
  return v
    .parse(list, json, 'SIGNATURE_INVALID', 'signature list')
    .map((entry) => ({ keyId: entry.key_id, signature: signatureBytes(entry.signature) }))
}

/** The bytes of a `.sig` file. */
export function encodeSignatures(signatures: Signatures): Uint8Array {
  const [only] = signatures
  if (signatures.length === 1 && only?.keyId === undefined && only !== undefined) {
    return encodeUtf8(`${encodeHex(only.signature)}\n`)
  }
  const entries = signatures.map((entry) => ({
    key_id: entry.keyId ?? '',
    signature: encodeHex(entry.signature),
  }))
  return encodeUtf8(`${JSON.stringify(entries)}\n`)
}

/** Signs the exact canonical bytes of a bundle. */
export function signBundle(bytes: Uint8Array, signer: Signer): BundleSignature {
  return { keyId: signer.keyId, signature: signer.sign(bytes) }
}

/** A signature that was found good, and whose it is. */
export interface Proof {
  readonly keyId: KeyId
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** Whether a signature is of this key over the bytes in question; may yield between slices of them. */
export type Verifies = (publicKey: Uint8Array, signature: Uint8Array) => Steps<boolean> | boolean

/**
 * The good signatures among those that came, of keys allowed for `scope`: at least as many distinct
 * keys as the root's threshold. Throws `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `KEY_UNTRUSTED` or
 * `THRESHOLD_NOT_MET`.
 */
export function* verifySignatures(
  signatures: Signatures,
  root: TrustRoot,
  scope: Scope,
  verifies: Verifies,
): Steps<readonly Proof[]> {
  if (signatures.length === 0) {
    throw new KernelError(
      'SIGNATURE_MISSING',
      'the bundle has no signature, and this kernel has trust keys: sign it with one of them',
    )
  }
  const allowed = keysFor(root, scope)
  const proofs = new Map<KeyId, Proof>()
  for (const { keyId, signature } of signatures) {
    const candidates = keyId === undefined ? allowed : allowed.filter((key) => key.keyId === keyId)
    if (keyId !== undefined && candidates.length === 0) continue
    const proof = yield* proofOf(signature, candidates, verifies)
    if (proof === undefined) {
      throw new KernelError(
        'SIGNATURE_INVALID',
        keyId === undefined
          ? 'the signature is of no key that may sign for this scope over these bytes'
          : `the signature of ${keyId} is not over these bytes`,
      )
    }
    proofs.set(proof.keyId, proof)
  }
  if (proofs.size === 0) {
    throw new KernelError(
      'KEY_UNTRUSTED',
      'no signature is by a key that the trust root allows for this scope',
    )
  }
  if (proofs.size < root.threshold) {
    throw new KernelError(
      'THRESHOLD_NOT_MET',
      `${root.threshold} distinct keys must sign, ${proofs.size} did`,
    )
  }
  return [...proofs.values()].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
}

function* proofOf(
  signature: Uint8Array,
  candidates: readonly TrustKey[],
  verifies: Verifies,
): Steps<Proof | undefined> {
  for (const { keyId, publicKey } of candidates) {
    const answer = verifies(publicKey, signature)
    if (typeof answer === 'boolean' ? answer : yield* answer) return { keyId, publicKey, signature }
  }
  return undefined
}

function signatureBytes(hex: string): Uint8Array {
  return decodeHex(hex, 64, 'a signature', 'SIGNATURE_INVALID')
}

function latin1(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes)
  } catch {
    return ''
  }
}
