import type { KeyId } from '../crypto/key-id.ts'

/** One Ed25519 private key, ready to sign. */
export interface Signer {
  readonly keyId: KeyId
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The 64-byte Ed25519 signature of `bytes` (RFC 8032, deterministic). */
  sign(bytes: Uint8Array): Uint8Array
}

/** A hash that takes its message in pieces; `digest` ends it. */
export interface Hasher {
  update(bytes: Uint8Array): Hasher
  digest(): Uint8Array
}

/**
 * Hashing and Ed25519, synchronous; the bytes given are not kept, since the caller may write over
 * them. Every implementation has the one accept set of design 2.1:
 * canonical A and R, A not of small order, S < L, and [S]B − [k]A encodes to R (cofactorless).
 */
export interface Crypto {
  /** The 32-byte SHA-256 of `bytes`. */
  sha256(bytes: Uint8Array): Uint8Array
  /** Whether `signature` (64 bytes) is one of `bytes` under `publicKey` (32 bytes). Never throws. */
  verify(publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): boolean
  /** As `verify`, beside the event loop, for long messages; absent where the host cannot. Never rejects. */
  verifyLater?(publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): Promise<boolean>
  /** Hashes what is too long for one piece. */
  hasher(algorithm: 'sha256' | 'sha512'): Hasher
  /** The signer of a 32-byte seed. */
  signer(seed: Uint8Array): Signer
}
