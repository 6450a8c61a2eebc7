import type { ReasonCode } from '../reason.ts'
import type { LedgerIdentity, ReceiptStore } from './receipt-store.ts'
import type { Tiles } from './tiles.ts'

export type LedgerCode = Extract<
  ReasonCode,
  | 'LEDGER_UNAVAILABLE'
  | 'LEDGER_FULL'
  | 'LEDGER_TRUNCATED'
  | 'LEDGER_CORRUPT'
  | 'LEDGER_MISSING'
  | 'LEDGER_ROLLED_BACK'
>

/** Why a ledger takes nothing new, for the operator. */
export interface LedgerFault {
  readonly code: LedgerCode
  readonly detail: string
  /** What to do. */
  readonly fix: string
}

/** A durable ReceiptStore with its log. Implementations: ledger (embedded), postgres. */
export interface Ledger extends ReceiptStore, Tiles {
  /** Undefined only while `health` says why it is not known. */
  readonly identity: LedgerIdentity | undefined
  /** Why nothing is appended now; undefined when all is well. */
  health(): LedgerFault | undefined
  /** What an operator should know, and may wait: nothing is refused for it. */
  warnings(): readonly string[]
  /**
   * Receipt ids of the allowed calls without outcome that were open when this process opened the
   * ledger, and still are: whoever made them may have ended before they did. Oldest first.
   */
  unresolved(): readonly string[] | Promise<readonly string[]>
  /** Calls `listener` after receipts became durable, whoever appended them, until the result is called. */
  watch(listener: () => void): () => void
  /** Publishes a checkpoint of everything acknowledged. */
  publish(): Promise<void>
  /** Finishes what was taken, publishes, and lets go. */
  close(): Promise<void>
}
