import type { Brand } from '../bytes/brand.ts'
import { encodeHex } from '../bytes/hex.ts'
import type { Crypto } from '../ports/crypto.ts'

/** `ed25519:` and the first 16 hex of SHA-256 of the raw public key. A hint, never authority. */
export type KeyId = Brand<string, 'KeyId'>

const form = /^ed25519:[0-9a-f]{16}$/

export function keyIdOf(crypto: Pick<Crypto, 'sha256'>, publicKey: Uint8Array): KeyId {
  return `ed25519:${encodeHex(crypto.sha256(publicKey)).slice(0, 16)}` as KeyId
}

export function isKeyId(value: unknown): value is KeyId {
  return typeof value === 'string' && form.test(value)
}
