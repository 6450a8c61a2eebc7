import type { KeyId } from '../crypto/key-id.ts'

/** One Ed25519 private key, ready to sign. */
export interface Signer {
  readonly keyId: KeyId
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The 64-byte Ed25519 signature of `bytes` (RFC 8032, deterministic). */
  sign(bytes: Uint8Array): Uint8Array
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
  /** The signer of a 32-byte seed. */
  signer(seed: Uint8Array): Signer
}
