import { type Crypto, isKernelError, type LedgerIdentity } from '@helm-ai-kernel/core'
import { type Checkpoint, claimedCheckpoint, openCheckpoint } from '@helm-ai-kernel/core/log'

/** A signed note in the ledger's folder that says how far the log once reached. */
export interface Head {
  /** Its file, for people. */
  readonly path: string
  readonly note: Uint8Array
  /** What it says; believed only once `isSigned`. */
  readonly claim: Checkpoint
}

/** Undefined when the bytes are no checkpoint at all. */
export function readHead(path: string, note: Uint8Array): Head | undefined {
  try {
    return { path, note, claim: claimedCheckpoint(note) }
  } catch (error) {
    if (isKernelError(error)) return undefined
    throw error
  }
}

/** Whether one of these log keys signed the head as this ledger's. */
export function isSigned(
  head: Head,
  { origin }: LedgerIdentity,
  publicKeys: Iterable<Uint8Array>,
  crypto: Crypto,
): boolean {
  for (const publicKey of publicKeys) {
    try {
      openCheckpoint(head.note, { origin, publicKey }, crypto)
      return true
    } catch (error) {
      // Not this key's; perhaps another's.
      if (!isKernelError(error)) throw error
    }
  }
  return false
}
