import { Point, getPublicKey, hashes, sign } from '@noble/ed25519'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { equalBytes } from '../bytes/equal.ts'
import { encodeHex } from '../bytes/hex.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import type { Crypto } from '../ports/crypto.ts'
import { keyIdOf } from './key-id.ts'
import { checkSeed } from './seed.ts'

hashes.sha512 = sha512

/** Order of the base point (RFC 8032 section 5.1). */
const L = Point.CURVE().n

/** The portable Crypto: pure JavaScript, the same in every runtime. */
export const nobleCrypto: Crypto = Object.freeze({
  sha256,

  verify(publicKey, signature, bytes) {
    if (signature.length !== 64) return false
    const R = signature.subarray(0, 32)
    const hash = sha512.create().update(R).update(publicKey).update(bytes).digest()
    return verifyChallenge(publicKey, signature, hash)
  },

  hasher: (algorithm) => hashers[algorithm].create(),

  signer(seed) {
    checkSeed(seed)
    const secret = Uint8Array.from(seed)
    const publicKey = getPublicKey(secret)
    const keyId = keyIdOf(nobleCrypto, publicKey)
    return Object.freeze({ keyId, publicKey, sign: (bytes: Uint8Array) => sign(bytes, secret) })
  },
} satisfies Crypto)

const hashers = { sha256, sha512 }

/**
 * The end of an Ed25519 verification, given SHA-512(R ‖ A ‖ message): so that a long message can be
 * hashed in slices. noble's own verify is cofactored even when strict; RFC 8032 lets a verifier choose,
 * and node:crypto chose otherwise. So this is the cofactorless equation, from noble's points.
 */
export function verifyChallenge(
  publicKey: Uint8Array,
  signature: Uint8Array,
  hash: Uint8Array,
): boolean {
  if (signature.length !== 64 || checkPublicKey(publicKey) !== 'ok') return false
  const S = littleEndian(signature.subarray(32))
  if (S >= L) return false
  const k = littleEndian(hash) % L
  const A = Point.fromBytes(publicKey)
  const expected = Point.BASE.multiply(S, false).subtract(A.multiply(k, false))
  // INVARIANT: bytes are compared, not points. `expected` encodes canonically, so an R that does
  // not, or is no point at all, equals nothing.
  return equalBytes(expected.toBytes(), signature.subarray(0, 32))
}

export type PublicKeyCheck =
  'ok' | 'not a point of the curve' | 'of small order' | 'not canonically encoded'

/** Whether bytes are a public key that the accept set of design 2.1 knows, or why not. */
export function checkPublicKey(publicKey: Uint8Array): PublicKeyCheck {
  let point: Point
  try {
    point = Point.fromBytes(publicKey, true)
  } catch {
    return 'not a point of the curve'
  }
  if (point.isSmallOrder()) return 'of small order'
  return equalBytes(point.toBytes(), publicKey) ? 'ok' : 'not canonically encoded'
}

/** HKDF-SHA256 (RFC 5869) without salt. */
export function hkdfSha256(ikm: Uint8Array, info: string, length: number): Uint8Array {
  return hkdf(sha256, ikm, undefined, encodeUtf8(info), length)
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${encodeHex(Uint8Array.from(bytes).reverse())}`)
}
