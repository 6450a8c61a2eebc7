export { type Audit, type AuditOptions, createAudit } from './audit.ts'
export type { Audited, AuditResult } from './audit-result.ts'
export {
  type DecodedEntry,
  decodeEntry,
  digestOfReceipt,
  isReceiptId,
  type ReceiptId,
  receiptIdOf,
  verifyEntry,
} from './entry.ts'
export { type AuditVerdict, type Check, verdictOf } from './findings.ts'
export type { HeldCheckpoint } from './held-checkpoint.ts'
export { saltedHash } from './salted-hash.ts'
export { openingDigest } from './seal.ts'
export { createUnresolved, type Unresolved } from './unresolved.ts'
export { createState, scopeOfStatement, type StateFields, type StateFold } from './state.ts'
export type {
  ActivationBody,
  Body,
  DecisionBody,
  KeyBegan,
  KeyBody,
  KeyEnded,
  Kind,
  OutcomeBody,
  Statement,
  StatementHead,
  Surface,
  Verdict,
} from './statement.ts'
