import type { ReceiptQuery, Stored } from './receipt-store.ts'

/**
 * A window of slim rows over the newest receipts. It only proposes positions: whoever asks reads each
 * receipt from the ledger and compares.
 */
export interface ReceiptIndex {
  /** Log index from which on every receipt is known; undefined while it holds none. */
  readonly from: number | undefined
  /**
   * Takes receipts in log order: those that follow what it holds, or, when the window is filled
   * backwards, those right before it. The oldest are dropped beyond its limit.
   */
  add(receipts: readonly Stored[]): void
  /** Log indices, ascending, of the first receipts in the window that fit: at most `limit + 1`. */
  propose(query: ReceiptQuery): readonly number[]
  /** Forgets everything: a proposal was wrong. */
  clear(): void
}
