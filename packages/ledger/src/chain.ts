import {
  type Crypto,
  KernelError,
  type LedgerState,
  parseTimestamp,
  type Stored,
} from '@helm-ai-kernel/core'
import {
  decodeEntry,
  openingDigest,
  receiptIdOf,
  scopeOfStatement,
} from '@helm-ai-kernel/core/receipt'

/** An entry of the log as it was stored. Throws `RECEIPT_MALFORMED`. */
export function storedEntry(crypto: Crypto, logIndex: number, entry: Uint8Array): Stored {
  const { statement, payload } = decodeEntry(entry)
  const receiptId = receiptIdOf(crypto.sha256(entry))
  return Object.freeze({ entry, payload, receiptId, statement, logIndex })
}

/**
 * The receipt must be the next of its scope and of the ledger. Signatures are not checked: heads cover
 * the bytes, and `verify` checks the rest. Throws `LEDGER_CORRUPT`.
 */
export function checkNext(crypto: Crypto, state: LedgerState, receipt: Stored): void {
  const broken = whyNotNext(crypto, state, receipt)
  if (broken !== undefined) {
    throw new KernelError('LEDGER_CORRUPT', `entry ${receipt.logIndex} ${broken}`)
  }
}

function whyNotNext(crypto: Crypto, state: LedgerState, { statement }: Stored): string | undefined {
  const { identity } = state
  if (statement.ledger_id !== identity?.ledgerId) return `is of ledger ${statement.ledger_id}`
  const scope = scopeOfStatement(statement)
  const { seq, prev } = state.scope(scope)
  if (statement.seq !== seq + 1) return `has seq ${statement.seq} after ${seq}`
  if (statement.prev !== (prev ?? openingDigest(crypto, identity, scope))) {
    return 'does not name the receipt before it'
  }
  if ((parseTimestamp(statement.time) ?? 0) < state.time) return 'is older than the one before it'
  return undefined
}
