import { equalBytes } from '../bytes/equal.ts'
import { KernelError } from '../error.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'
import type { Checkpoint } from './checkpoint.ts'
import { checkContinuation } from './continuation.ts'
import { cosignature } from './cosignature.ts'
import { openHead } from './head.ts'
import { formatNote, parseNote, signaturesOf } from './note.ts'
import type { TileReader } from './tiled-proof.ts'
import { type Cosigner, keyHash, type NoteVerifier } from './verifier-key.ts'

/** Who watches which log. */
export interface Witness {
  readonly crypto: Crypto
  /** Signs cosignatures and nothing else. */
  readonly signer: Signer
  /** What it is called on them: no space, no `+`. */
  readonly name: string
  /** The log's name. */
  readonly origin: string
  /** Keys of the log, 32 bytes each: more than one after a change of keys. */
  readonly logKeys: readonly Uint8Array[]
}

/** A head that a log shows to its witness. */
export interface Offer {
  /** The newest head that was seen, as it was cosigned, or as the log signed it; undefined at first. */
  readonly last: Uint8Array | undefined
  /** The note that the log shows now. */
  readonly next: Uint8Array
  /** The log's tiles, from anywhere: they prove themselves. */
  readonly tiles: TileReader
  /** POSIX seconds. */
  readonly time: number
}

export interface Witnessed {
  /** The checkpoint with the log's signatures and this witness's: the `last` of the next offer. */
  readonly note: Uint8Array
  readonly checkpoint: Checkpoint
  /** The head that it is proved to continue; undefined for the first. */
  readonly since: Checkpoint | undefined
}

/**
 * Cosigns the head that a log shows, once it is proved to continue the last one (C2SP tlog-witness).
 * Whoever calls keeps the note, durably, before anybody gets it, and makes one offer at a time.
 *
 * Throws what says that history changed: `LOG_ROLLED_BACK` (smaller), `LOG_EQUIVOCATED` (of the same
 * size, another), `LOG_FORKED` (larger, and no continuation); `LOG_FOREIGN` for another log's head;
 * `KEY_UNTRUSTED`, `SIGNATURE_INVALID`, `CHECKPOINT_INVALID`, `BYTES_INVALID` for one that the log did
 * not sign; `PROOF_INVALID` when tiles are missing; `KEY_INVALID` when witness and log share a key.
 */
export async function witness(self: Witness, offer: Offer): Promise<Witnessed> {
  const { crypto, signer, name, origin } = self
  const { last, next, tiles, time } = offer
  const log = logVerifiers(self)
  const { checkpoint, text } = openHead(next, origin, log, crypto)
  const since = last === undefined ? undefined : heldHead(self, last)
  if (since !== undefined) await checkContinuation(crypto, since, checkpoint, tiles)
  // Signatures of others are left out: nothing is known of them.
  const given = parseNote(next)
  const own = {
    name,
    hash: keyHash(crypto, cosignerOf(self)),
    signature: cosignature(text, signer, time),
  }
  const signatures = [...log.flatMap((key) => signaturesOf(given, key, crypto)), own]
  return { note: formatNote({ text, signatures }), checkpoint, since }
}

/** The key by which others verify a witness's cosignatures. */
export function cosignerOf({ name, signer }: Pick<Witness, 'name' | 'signer'>): Cosigner {
  return { kind: 'cosigner', name, publicKey: signer.publicKey }
}

/**
 * A head that the witness has kept: by its own cosignature or the log's signature. Throws as `witness`
 * does for one that is neither's.
 */
export function heldHead(self: Witness, note: Uint8Array): Checkpoint {
  const by = [cosignerOf(self), ...logVerifiers(self)]
  return openHead(note, self.origin, by, self.crypto).checkpoint
}

function logVerifiers({ logKeys, origin, signer }: Witness): readonly NoteVerifier[] {
  if (logKeys.some((key) => equalBytes(key, signer.publicKey))) {
    throw new KernelError(
      'KEY_INVALID',
      'the witness has the key of the log: who signs a log is no witness of it, so give it its own',
    )
  }
  return logKeys.map((publicKey) => ({ name: origin, publicKey }))
}
