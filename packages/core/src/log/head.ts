import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import { type Checkpoint, claimedCheckpoint, parseCheckpoint } from './checkpoint.ts'
import { openNote, type OpenedNote } from './note.ts'
import type { AnyVerifier } from './verifier-key.ts'

export interface Head extends OpenedNote {
  readonly checkpoint: Checkpoint
}

/**
 * Reads a checkpoint of the log `origin` that one at least of these signed or cosigned. Throws
 * `LOG_FOREIGN` for another log's, else as `openNote` and `parseCheckpoint` do.
 */
export function openHead(
  note: Uint8Array,
  origin: string,
  by: readonly AnyVerifier[],
  crypto: Crypto,
): Head {
  // Asked first for the sake of the message: another log's keys have other names.
  const claim = claimedCheckpoint(note)
  if (claim.origin !== origin) {
    const message = `the checkpoint is of the log ${claim.origin}, not of ${origin}`
    throw new KernelError('LOG_FOREIGN', message)
  }
  const opened = openNote(note, by, crypto)
  return { ...opened, checkpoint: parseCheckpoint(opened.text) }
}
