import type { Stored } from '../ports/receipt-store.ts'
import type { AuditVerdict, Check } from './findings.ts'
import type { Kind } from './statement.ts'

/** An entry of the log as it was read; whether it is good is for `finish` to say. */
export type Audited = Pick<Stored, 'receiptId' | 'statement' | 'logIndex'>

/** Three-state checks (design 2.8); one that was not applicable fails nothing. */
export interface AuditResult {
  readonly verdict: AuditVerdict
  readonly checks: readonly Check[]
  readonly counts: {
    readonly entries: number
    readonly scopes: number
    readonly kinds: Readonly<Partial<Record<Kind, number>>>
    /** Allowed calls without an outcome (design 4.3); a process may have ended during them. */
    readonly unresolved: number
  }
  /** What a checkpoint of all entries says: leaves, and the RFC 6962 root in base64. */
  readonly tree: { readonly size: number; readonly root: string }
}
