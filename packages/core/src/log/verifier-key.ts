import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { encodeHex } from '../bytes/hex.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import { checkPublicKey } from '../crypto/noble.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'

/** Whose signature on a note counts. Only Ed25519 here: type 0x01 of C2SP signed-note. */
export interface NoteVerifier {
  /** Not empty; no Unicode space and no `+`. */
  readonly name: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

const ed25519 = 0x01
const form = /^([^\p{White_Space}+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u

/** `<name>+<key hash in hex>+<base64 of 0x01 ‖ public key>`, the text that log tools take. */
export function formatVerifierKey({ name, publicKey }: NoteVerifier, crypto: Crypto): string {
  const hash = encodeHex(keyHash(crypto, name, publicKey))
  return `${name}+${hash}+${encodeBase64(Uint8Array.of(ed25519, ...publicKey))}`
}

/** Throws `KEY_INVALID`. */
export function parseVerifierKey(text: string, crypto: Crypto): NoteVerifier {
  const [, name = '', , key = ''] = form.exec(text) ?? []
  const publicKey = decodeBase64(key, 'the key of a verifier key').slice(1)
  const verifier = { name, publicKey }
  // Formatting again checks the type, the hash and the spelling at once.
  if (formatVerifierKey(verifier, crypto) !== text || checkPublicKey(publicKey) !== 'ok') {
    throw new KernelError(
      'KEY_INVALID',
      'a verifier key must be <name>+<hash>+<key>, of an Ed25519 public key and its own hash',
    )
  }
  return verifier
}

/** First 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key): tells keys apart, proves nothing. */
export function keyHash(crypto: Crypto, name: string, publicKey: Uint8Array): Uint8Array {
  const input = Uint8Array.of(...encodeUtf8(name), 0x0a, ed25519, ...publicKey)
  return crypto.sha256(input).slice(0, 4)
}
