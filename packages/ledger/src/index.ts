export type { Fault, FaultCode } from './fault.ts'
export { type Ledger, type LedgerOptions, openLedger } from './ledger.ts'
export { replaceFile, temporarySuffix } from './replace-file.ts'
export { verifyLedger, type VerifyOptions } from './verify.ts'
