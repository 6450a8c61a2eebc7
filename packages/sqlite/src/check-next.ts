import {
  type Crypto,
  KernelError,
  type LedgerState,
  parseTimestamp,
  type Stored,
} from '@helm-ai-kernel/core'
import { openingDigest, receiptIdOf, scopeOfStatement } from '@helm-ai-kernel/core/receipt'

/** Checks that a receipt is the next of the ledger and of its scope. Throws `LEDGER_CORRUPT`. */
export function checkNext(crypto: Crypto, state: LedgerState, receipt: Stored): void {
  const broken = whyNotNext(crypto, state, receipt)
  if (broken !== undefined) {
    throw new KernelError('LEDGER_CORRUPT', `entry ${receipt.logIndex} ${broken}`)
  }
}

function whyNotNext(crypto: Crypto, state: LedgerState, receipt: Stored): string | undefined {
  const { identity, size, time } = state
  const { statement, receiptId, entry, logIndex } = receipt
  if (logIndex !== size) return `follows entry ${size - 1}`
  if (receiptIdOf(crypto.sha256(entry)) !== receiptId) return 'has the id of another'
  if (statement.ledger_id !== identity?.ledgerId) return `is of ledger ${statement.ledger_id}`
  const scope = scopeOfStatement(statement)
  const { seq, prev } = state.scope(scope)
  if (statement.seq !== seq + 1) return `has seq ${statement.seq} after ${seq}`
  if (statement.prev !== (prev ?? openingDigest(crypto, identity, scope))) {
    return 'does not name the receipt before it'
  }
  if ((parseTimestamp(statement.time) ?? 0) < time) return 'is older than the one before it'
  return undefined
}
