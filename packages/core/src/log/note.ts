import { equalBytes } from '../bytes/equal.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'
import { cosignedAt } from './cosignature.ts'
import { formatSignature, type NoteSignature, parseSignature } from './signature-line.ts'
import { type AnyVerifier, type Cosigner, keyHash, type NoteVerifier } from './verifier-key.ts'

// C2SP signed-note: a text that ends in a newline, an empty line, then `— <name> <base64>` lines.
// It wants 16 signatures to be taken, post-quantum ones of 5 kB too: so many bytes, and no more.
export const maxNoteBytes: number = 128 * 1024
const maxSignatures = 16

/** All of a note: nothing below U+0020 but newlines, one of them at the end. */
const printable = /^[\n -\u{10ffff}]*\n$/u

/** Whose signature is good; a witness's says when it was made, in POSIX seconds. */
export type Verified = NoteVerifier | (Cosigner & { readonly time: number })

export interface OpenedNote {
  /** What was signed, its last newline included. */
  readonly text: string
  /** Whose signatures were found and are good: one at least. */
  readonly verified: readonly Verified[]
}

/** A note as it stands; nothing is believed of it. */
export interface ParsedNote {
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** The note of `text`, which ends in a newline, with one signature. Throws `CHECKPOINT_INVALID`. */
export function signNote(text: string, name: string, signer: Signer, crypto: Crypto): Uint8Array {
  const hash = keyHash(crypto, { name, publicKey: signer.publicKey })
  return formatNote({
    text,
    signatures: [{ name, hash, signature: signer.sign(encodeUtf8(text)) }],
  })
}

/**
 * Reads a note, of which one signature at least must be a given verifier's. Signatures of others are
 * ignored; one of a verifier that is wrong refuses the note. Throws `BYTES_INVALID` or
 * `CHECKPOINT_INVALID` (no note), `SIGNATURE_INVALID`, `KEY_UNTRUSTED` (no verifier signed).
 */
export function openNote(
  bytes: Uint8Array,
  verifiers: readonly AnyVerifier[],
  crypto: Crypto,
): OpenedNote {
  const note = parseNote(bytes)
  const verified = verifiers.flatMap((verifier) => {
    const found = signaturesOf(note, verifier, crypto).map(({ signature }) => {
      const good = verify(note.text, signature, verifier, crypto)
      if (good !== undefined) return good
      throw new KernelError(
        'SIGNATURE_INVALID',
        `the signature of ${verifier.name} on the note is wrong`,
      )
    })
    return found.slice(-1)
  })
  if (verified.length === 0) {
    const names = verifiers.map(({ name }) => name).join(', ')
    throw new KernelError('KEY_UNTRUSTED', `the note is not signed by the given key of ${names}`)
  }
  return { text: note.text, verified }
}

/** The lines that claim to be of this key. */
export function signaturesOf(
  { signatures }: ParsedNote,
  verifier: AnyVerifier,
  crypto: Crypto,
): readonly NoteSignature[] {
  const hash = keyHash(crypto, verifier)
  return signatures.filter((one) => one.name === verifier.name && equalBytes(one.hash, hash))
}

/** Throws `CHECKPOINT_INVALID` for what would not be read again. */
export function formatNote({ text, signatures }: ParsedNote): Uint8Array {
  if (signatures.length > maxSignatures) throw crowded()
  const lines = signatures.map(formatSignature)
  if (!printable.test(text) || lines.includes(undefined)) {
    throw malformed('text and name must have no control characters, the name no space and no +')
  }
  return encodeUtf8(`${text}\n${lines.join('\n')}\n`)
}

/** Throws `BYTES_INVALID` or `CHECKPOINT_INVALID`. */
export function parseNote(bytes: Uint8Array): ParsedNote {
  if (bytes.length > maxNoteBytes) throw malformed(`it has more than ${maxNoteBytes} bytes`)
  const note = decodeUtf8(bytes)
  const end = note.lastIndexOf('\n\n') + 1
  if (end === 0 || !printable.test(note)) {
    throw malformed('it must be text, an empty line and signatures, and end in a newline')
  }
  const lines = note.slice(end + 1, -1).split('\n')
  if (lines.length > maxSignatures) throw crowded()
  const signatures = lines.map((line) => {
    const signature = parseSignature(line)
    if (signature === undefined) throw malformed('a signature line must be: — <name> <base64>')
    return signature
  })
  return { text: note.slice(0, end), signatures }
}

function verify(
  text: string,
  signature: Uint8Array,
  verifier: AnyVerifier,
  crypto: Crypto,
): Verified | undefined {
  if (verifier.kind !== 'cosigner') {
    return crypto.verify(verifier.publicKey, signature, encodeUtf8(text)) ? verifier : undefined
  }
  const time = cosignedAt(text, signature, verifier.publicKey, crypto)
  return time === undefined ? undefined : { ...verifier, time }
}

function crowded(): KernelError {
  return malformed(`it has more than ${maxSignatures} signatures`)
}

function malformed(why: string): KernelError {
  return new KernelError('CHECKPOINT_INVALID', `not a signed note: ${why}`)
}
