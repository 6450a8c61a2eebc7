import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'

/** A line below the text of a note (C2SP signed-note): `— <name> <base64 of hash ‖ signature>`. */
export interface NoteSignature {
  readonly name: string
  /** 4 bytes that tell keys of one name apart, and prove nothing. */
  readonly hash: Uint8Array
  /** As its key's type has it; one byte at least. */
  readonly signature: Uint8Array
}

const form = /^— ([^\p{White_Space}+]+) ([A-Za-z0-9+/=]+)$/u
const hashBytes = 4

/** Without the newline. Undefined for a name that is empty or has a space or a `+`. */
export function formatSignature({ name, hash, signature }: NoteSignature): string | undefined {
  const line = `— ${name} ${encodeBase64(Uint8Array.of(...hash, ...signature))}`
  return form.test(line) ? line : undefined
}

/** Undefined when it is no signature line. Throws `BYTES_INVALID`. */
export function parseSignature(line: string): NoteSignature | undefined {
  const [, name = '', base64 = ''] = form.exec(line) ?? []
  const value = decodeBase64(base64, 'the signature of a note')
  if (value.length <= hashBytes) return undefined
  return { name, hash: value.slice(0, hashBytes), signature: value.slice(hashBytes) }
}
