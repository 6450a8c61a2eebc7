import type {
  Cancel,
  Clock,
  Crypto,
  Disk,
  Holder,
  Lock,
  Random,
  ReceiptIndex,
  Signer,
} from '@helm-ai-kernel/core'

/** Makes an index; `cancel` aborts when the ledger is closed, and whatever is made then is not used. */
export type MakeIndex = (cancel: Cancel) => Promise<ReceiptIndex>

export interface LedgerOptions {
  /** Rooted at the data directory. */
  readonly disk: Disk
  readonly lock: Lock
  /** Who opens: what a second process is told. */
  readonly who: Holder
  readonly clock: Clock
  readonly random: Random
  readonly crypto: Crypto
  /** The log key; signs tips, checkpoints and the kept state. */
  readonly log: Signer
  /** What a new ledger's log is called, and an existing one must be called. */
  readonly origin?: string
  /** Whether a ledger is made where there is none; `auto` when absent. */
  readonly init?: 'auto' | 'never'
  /** Hears, in a sentence, of what an operator should know and `health` does not say. */
  readonly warn?: (message: string) => void
  /** Least time between two published checkpoints, ms; 1000 when absent. */
  readonly checkpointInterval?: number
  /**
   * Proposes receipts for filters; until there is one they are looked for in the log, up to a limit. A
   * function is called once the ledger is open, and nobody waits for it.
   */
  readonly index?: ReceiptIndex | MakeIndex
  /** The index is filled with so many of the newest receipts; 100,000 when absent. */
  readonly indexLimit?: number
}
