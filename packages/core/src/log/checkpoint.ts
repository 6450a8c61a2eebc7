import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { encodeHex } from '../bytes/hex.ts'
import { decodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'
import { openNote, signNote } from './note.ts'

/** The head of a log (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** What the log is called, for ever. */
  readonly origin: string
  /** Leaves. */
  readonly size: number
  /** The RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array
}

const originForm = /^[a-z0-9][a-z0-9./-]{0,127}$/
/** Origin, size, root; then extension lines, which may be there, mean nothing here, and are not empty. */
const textForm = /^([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n([^\n]+\n)*$/

/** Checks the origin of a log of ours. Throws `IDENTIFIER_INVALID`. */
export function parseOrigin(text: string): string {
  if (!originForm.test(text)) {
    throw new KernelError(
      'IDENTIFIER_INVALID',
      'a log origin must be 1 to 128 of a-z 0-9 . / - and begin with a letter or digit',
    )
  }
  return text
}

/** The origin of a log that nobody named: `helm-ai-kernel.local/` and 16 hex of its key's SHA-256. */
export function defaultOrigin(crypto: Crypto, logPublicKey: Uint8Array): string {
  return `helm-ai-kernel.local/${encodeHex(crypto.sha256(logPublicKey)).slice(0, 16)}`
}

/** The text of a checkpoint, ready to be signed. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${encodeBase64(root)}\n`
}

/** Throws `CHECKPOINT_INVALID`. */
export function parseCheckpoint(text: string): Checkpoint {
  const [, origin = '', digits = '', root = ''] = textForm.exec(text) ?? []
  const size = Number(digits)
  if (origin === '' || !Number.isSafeInteger(size)) {
    throw new KernelError(
      'CHECKPOINT_INVALID',
      'a checkpoint must be lines of origin, size below 2^53 and base64 of a 32-byte root',
    )
  }
  return { origin, size, root: decodeBase64(root, 'the root of a checkpoint') }
}

/** The signed note of a checkpoint; the key is called as the log is. Throws `IDENTIFIER_INVALID`. */
export function signCheckpoint(checkpoint: Checkpoint, log: Signer, crypto: Crypto): Uint8Array {
  // INVARIANT: what a log key signs begins with an origin, so it is no bundle and no receipt (2.3).
  const name = parseOrigin(checkpoint.origin)
  return signNote(formatCheckpoint(checkpoint), name, log, crypto)
}

/**
 * What a note claims to be the head of a log, whoever signed it: tells which root to ask for, and
 * proves nothing. Throws `BYTES_INVALID` or `CHECKPOINT_INVALID`.
 */
export function claimedCheckpoint(bytes: Uint8Array): Checkpoint {
  const note = decodeUtf8(bytes)
  return parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1))
}

/** Reads a checkpoint that the log's key signed. Throws as `openNote` and `parseCheckpoint` do. */
export function openCheckpoint(
  bytes: Uint8Array,
  log: { readonly origin: string; readonly publicKey: Uint8Array },
  crypto: Crypto,
): Checkpoint {
  const verifier = { name: log.origin, publicKey: log.publicKey }
  const checkpoint = parseCheckpoint(openNote(bytes, [verifier], crypto).text)
  if (checkpoint.origin !== log.origin) {
    throw new KernelError(
      'CHECKPOINT_INVALID',
      `the checkpoint is of the log ${checkpoint.origin}, not of ${log.origin}`,
    )
  }
  return checkpoint
}
