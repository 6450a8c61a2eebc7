import type { Digest } from '../bytes/digest.ts'
import type { ReasonCode } from '../reason.ts'
import type { ReceiptId } from '../receipt/entry.ts'
import type { Body, Kind, Statement, Verdict } from '../receipt/statement.ts'
import type { KeyId } from '../crypto/key-id.ts'
import type { Scope } from '../trust/scope.ts'

/** What a ledger is called; fixed when it is made (design 2.7). */
export interface LedgerIdentity {
  /** 16 random bytes, hex. */
  readonly ledgerId: string
  /** First line of every checkpoint. */
  readonly origin: string
}

/** An activated policy. */
export interface Mark {
  readonly epoch: number
  readonly hash: Digest
}

/** A trust root that was in force. */
export interface TrustMark {
  readonly version: number
  readonly digest: Digest
}

/** Where one scope stands: what the next receipt follows, and which policy may follow which. */
export interface ScopeState {
  /** Of the newest receipt; 0 when there is none. */
  readonly seq: number
  /** Digest of the newest entry; undefined when there is none. */
  readonly prev: Digest | undefined
  /** Newest activation of signed policy. */
  readonly signed: Mark | undefined
  /** Whether nothing unsigned may follow: since signed policy was active, until it is forgotten. */
  readonly signedOnly: boolean
  /** Newest activation of unsigned policy. */
  readonly unsigned: Mark | undefined
}

/** Where the ledger stands, read inside the critical section in which a batch is sealed. */
export interface LedgerState {
  /** Undefined only for a memory store, which takes the identity that its kernel made. */
  readonly identity: LedgerIdentity | undefined
  /** Entries in the log; the next entry's log index. */
  readonly size: number
  /** Time of the newest receipt, ms since the epoch; 0 when there is none. */
  readonly time: number
  /** The key that the newest `key` receipt says signs; undefined when the log is empty. */
  readonly key: KeyId | undefined
  /** Whom that key named when it ended, and who has not begun; undefined while it signs. */
  readonly successor: KeyId | undefined
  /** The trust root that the newest `trust` receipt names; undefined when there is none. */
  readonly trust: TrustMark | undefined
  scope(scope: Scope): ScopeState
}

/** A receipt before the ledger gives it its place. */
export interface Draft {
  readonly scope: Scope
  readonly body: Body
}

/** A receipt in its final bytes. */
export interface Sealed {
  readonly entry: Uint8Array
  /** The statement's canonical bytes, as they stand in the entry. */
  readonly payload: Uint8Array
  readonly receiptId: ReceiptId
  readonly statement: Statement
}

/** A draft that may not be recorded as it stands: the ledger has moved on. */
export interface Refused {
  readonly refused: ReasonCode
}

/**
 * Gives drafts their place and signs them. Pure and synchronous; called by the store inside its
 * critical section. One result a draft, in order.
 */
export type Seal = (state: LedgerState, drafts: readonly Draft[]) => readonly (Sealed | Refused)[]

/** A receipt that is durable. */
export interface Stored extends Sealed {
  readonly logIndex: number
}

/** Which receipts of one scope; every member given must fit. */
export interface ReceiptQuery {
  readonly scope: Scope
  readonly receiptId?: ReceiptId
  readonly kind?: Kind
  readonly verdict?: Verdict
  readonly reasonCode?: string
  readonly principal?: string
  readonly action?: string
  readonly resource?: string
  readonly sessionId?: string
  /** Inclusive bounds on `time`, RFC 3339 UTC with milliseconds. */
  readonly from?: string
  readonly to?: string
  /** Only receipts with a higher seq: the place to go on from. */
  readonly afterSeq?: number
  /** At most so many, oldest first. */
  readonly limit: number
}

export interface ReceiptPage {
  readonly receipts: readonly Stored[]
  readonly hasMore: boolean
  /**
   * Seq up to which a scan looked before it met its limit, when that is beyond the last receipt: the
   * next page goes on from there.
   */
  readonly scannedTo?: number
  /** Log index from which on an index knows every receipt; given when the query went below it. */
  readonly indexFrom?: number
}

/** Where receipts are made durable. Implementations: memory, ledger, postgres. */
export interface ReceiptStore {
  /**
   * Seals the drafts as one batch and makes them durable. Resolves, one result a draft and in order,
   * after the sync; rejects with a KernelError `LEDGER_…` and has then recorded nothing that it will
   * later serve.
   */
  append(drafts: readonly Draft[], seal: Seal): Promise<readonly (Stored | Refused)[]>
  /** Entries by log index, `from` inclusive, `to` exclusive; fewer when the log is shorter. */
  read(from: number, to: number): Promise<readonly Stored[]>
  find(query: ReceiptQuery): Promise<ReceiptPage>
  state(): Promise<LedgerState>
}
