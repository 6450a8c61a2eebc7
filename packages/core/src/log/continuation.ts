import { equalBytes } from '../bytes/equal.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Checkpoint } from './checkpoint.ts'
import { verifyConsistency } from './proof.ts'
import { proveConsistency, type TileReader } from './tiled-proof.ts'

/** What says that the history of a log was changed. */
export type HistoryCode = 'LOG_ROLLED_BACK' | 'LOG_EQUIVOCATED' | 'LOG_FORKED'

/**
 * Checks that one head of a log continues another, by its tiles; whose heads they are, and whether the
 * log signed them, was checked before. Throws `LOG_ROLLED_BACK` when it is smaller, `LOG_EQUIVOCATED`
 * when it is of the same size and another, `LOG_FORKED` when it is larger and does not begin so;
 * `PROOF_INVALID` when tiles are missing.
 */
export async function checkContinuation(
  crypto: Crypto,
  last: Checkpoint,
  next: Checkpoint,
  tiles: TileReader,
): Promise<void> {
  const [from, to] = [last.size, next.size]
  if (to < from) {
    refuse('LOG_ROLLED_BACK', `the log had ${from} entries and shows ${to}: entries are gone`)
  }
  if (to === from) {
    if (equalBytes(last.root, next.root)) return
    refuse('LOG_EQUIVOCATED', `the log shows two trees of ${to} entries: one of them is a lie`)
  }
  const proof = await proveConsistency(crypto, tiles, from, to)
  const claim = { from, to, fromRoot: last.root, toRoot: next.root }
  if (!verifyConsistency(crypto, claim, proof)) {
    refuse(
      'LOG_FORKED',
      `the log's ${to} entries do not begin with the ${from} that were seen: history was changed`,
    )
  }
}

function refuse(code: HistoryCode, message: string): never {
  throw new KernelError(code, message)
}
