import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { encodeHex } from '../bytes/hex.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import { checkPublicKey } from '../crypto/noble.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'

/** A log, whose signature on a note counts: Ed25519, type 0x01 of C2SP signed-note. */
export interface NoteVerifier {
  readonly kind?: 'log'
  /** Not empty; no Unicode space and no `+`. */
  readonly name: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

/** A witness, whose cosignature on a checkpoint counts: Ed25519, type 0x04 of C2SP tlog-cosignature. */
export interface Cosigner {
  // INVARIANT: a key is of one kind, by type and by its hash: a witness's is never taken for a log's.
  readonly kind: 'cosigner'
  /** As of a log. */
  readonly name: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

export type AnyVerifier = NoteVerifier | Cosigner

const types = { log: 0x01, cosigner: 0x04 } as const
const form = /^([^\p{White_Space}+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u

/** `<name>+<key hash in hex>+<base64 of type ‖ public key>`, the text that log tools take. */
export function formatVerifierKey(verifier: AnyVerifier, crypto: Crypto): string {
  const { name, publicKey } = verifier
  const hash = encodeHex(keyHash(crypto, verifier))
  return `${name}+${hash}+${encodeBase64(Uint8Array.of(typeOf(verifier), ...publicKey))}`
}

/** `kind` says what the key is. Throws `KEY_INVALID`, or `BYTES_INVALID` for what is not base64. */
export function parseVerifierKey(text: string, crypto: Crypto): Required<NoteVerifier> | Cosigner {
  const [, name = '', , key = ''] = form.exec(text) ?? []
  const bytes = decodeBase64(key, 'the key of a verifier key')
  const kind = bytes[0] === types.cosigner ? 'cosigner' : 'log'
  const verifier = { kind, name, publicKey: bytes.slice(1) } as const
  // Formatting again checks the type, the hash and the spelling at once.
  const same = formatVerifierKey(verifier, crypto) === text
  if (!same || checkPublicKey(verifier.publicKey) !== 'ok') {
    throw new KernelError(
      'KEY_INVALID',
      'a verifier key must be <name>+<hash>+<key>, of an Ed25519 public key and its own hash',
    )
  }
  return verifier
}

/** First 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key): tells keys apart, proves nothing. */
export function keyHash(crypto: Crypto, verifier: AnyVerifier): Uint8Array {
  const { name, publicKey } = verifier
  const input = Uint8Array.of(...encodeUtf8(name), 0x0a, typeOf(verifier), ...publicKey)
  return crypto.sha256(input).slice(0, 4)
}

function typeOf({ kind = 'log' }: AnyVerifier): number {
  return types[kind]
}
