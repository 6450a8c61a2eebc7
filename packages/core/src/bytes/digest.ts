import type { Crypto } from '../ports/crypto.ts'
import type { Brand } from './brand.ts'
import { equalBytes } from './equal.ts'
import { encodeHex } from './hex.ts'
import { encodeUtf8 } from './utf8.ts'

/** `sha256:` and 64 lowercase hex. */
export type Digest = Brand<string, 'Digest'>

const form = /^sha256:[0-9a-f]{64}$/

/** The digest of `bytes`. */
export function digest(crypto: Crypto, bytes: Uint8Array): Digest {
  return digestOf(crypto.sha256(bytes))
}

/** The digest that a SHA-256 hash, 32 bytes, is written as. */
export function digestOf(sha256: Uint8Array): Digest {
  return `sha256:${encodeHex(sha256)}` as Digest
}

/** Narrows a string that has the form of a digest. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && form.test(value)
}

/** Equality in time that depends on the length alone. */
export function equalDigests(a: Digest, b: Digest): boolean {
  return equalBytes(encodeUtf8(a), encodeUtf8(b))
}
