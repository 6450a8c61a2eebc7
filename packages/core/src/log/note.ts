import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { equalBytes } from '../bytes/equal.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'
import { keyHash, type NoteVerifier } from './verifier-key.ts'

// C2SP signed-note: a text that ends in a newline, an empty line, then `— <name> <base64>` lines.
// It wants 16 signatures to be taken, post-quantum ones of 5 kB too: so many bytes, and no more.
const maxBytes = 128 * 1024
const maxSignatures = 16

/** All of a note: nothing below U+0020 but newlines, one of them at the end. */
const printable = /^[\n -\u{10ffff}]*\n$/u
const signatureLine = /^— ([^\p{White_Space}+]+) ([A-Za-z0-9+/=]+)$/u

export interface OpenedNote {
  /** What was signed, its last newline included. */
  readonly text: string
  /** Whose signatures were found and are good: one at least. */
  readonly verified: readonly NoteVerifier[]
}

/** The note of `text`, which ends in a newline, with one signature. Throws `CHECKPOINT_INVALID`. */
export function signNote(text: string, name: string, signer: Signer, crypto: Crypto): Uint8Array {
  const signature = signer.sign(encodeUtf8(text))
  const signed = encodeBase64(
    Uint8Array.of(...keyHash(crypto, name, signer.publicKey), ...signature),
  )
  const line = `— ${name} ${signed}`
  if (!printable.test(text) || !signatureLine.test(line)) {
    throw malformed('text and name must have no control characters, the name no space and no +')
  }
  return encodeUtf8(`${text}\n${line}\n`)
}

/**
 * Reads a note, of which one signature at least must be a given verifier's. Signatures of others are
 * ignored; one of a verifier that is wrong refuses the note. Throws `BYTES_INVALID` or
 * `CHECKPOINT_INVALID` (no note), `SIGNATURE_INVALID`, `KEY_UNTRUSTED` (no verifier signed).
 */
export function openNote(
  bytes: Uint8Array,
  verifiers: readonly NoteVerifier[],
  crypto: Crypto,
): OpenedNote {
  const { text, signatures } = parseNote(bytes)
  const signed = encodeUtf8(text)
  const verified = verifiers.filter(({ name, publicKey }) => {
    const hash = keyHash(crypto, name, publicKey)
    const own = signatures.filter((one) => one.name === name && equalBytes(one.hash, hash))
    if (!own.every(({ signature }) => crypto.verify(publicKey, signature, signed))) {
      throw new KernelError('SIGNATURE_INVALID', `the signature of ${name} on the note is wrong`)
    }
    return own.length > 0
  })
  if (verified.length === 0) {
    const names = verifiers.map(({ name }) => name).join(', ')
    throw new KernelError('KEY_UNTRUSTED', `the note is not signed by the given key of ${names}`)
  }
  return { text, verified }
}

function parseNote(bytes: Uint8Array) {
  if (bytes.length > maxBytes) throw malformed(`it has more than ${maxBytes} bytes`)
  const note = decodeUtf8(bytes)
  const end = note.lastIndexOf('\n\n') + 1
  if (end === 0 || !printable.test(note)) {
    throw malformed('it must be text, an empty line and signatures, and end in a newline')
  }
  const lines = note.slice(end + 1, -1).split('\n')
  if (lines.length > maxSignatures) throw malformed(`it has more than ${maxSignatures} signatures`)
  const signatures = lines.map((line) => {
    const [, name = '', base64 = ''] = signatureLine.exec(line) ?? []
    const value = decodeBase64(base64, 'the signature of a note')
    if (value.length <= 4) throw malformed('a signature line must be: — <name> <base64>')
    return { name, hash: value.slice(0, 4), signature: value.slice(4) }
  })
  return { text: note.slice(0, end), signatures }
}

function malformed(why: string): KernelError {
  return new KernelError('CHECKPOINT_INVALID', `not a signed note: ${why}`)
}
