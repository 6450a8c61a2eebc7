import type { ReasonCode } from './reason.ts'

/** What a `KernelError` may be about: every reason code, and the faults that never reach a receipt. */
export type ErrorCode =
  | ReasonCode
  | 'BYTES_INVALID'
  | 'CHECKPOINT_INVALID'
  | 'CONFIG_INVALID'
  | 'EVIDENCE_INVALID'
  | 'FILE_UNUSABLE'
  | 'IDENTIFIER_INVALID'
  | 'KERNEL_UNREACHABLE'
  | 'KEY_INVALID'
  | 'LEDGER_LOCKED'
  | 'LOG_EQUIVOCATED'
  | 'LOG_FOREIGN'
  | 'LOG_FORKED'
  | 'LOG_ROLLED_BACK'
  | 'PROOF_INVALID'
  | 'RECEIPT_MALFORMED'
  | 'TRUST_ROOT_INVALID'
  | 'USAGE_INVALID'

/**
 * The one error class. `code` is for programs; `message` says to a person what was wrong, where, and
 * what to do; `at` is the place (`rules[3].when.op`, `line 4, column 2`) when there is one.
 * A refusal that the kernel is made to give (DENY, ESCALATE) is a value, never this.
 */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  readonly code: ErrorCode
  readonly at: string | undefined

  constructor(code: ErrorCode, message: string, options: { at?: string; cause?: unknown } = {}) {
    super(
      options.at === undefined ? message : `${message} (at ${options.at})`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.at = options.at
  }
}

/** Whether `error` is a KernelError, and, if a code is given, one with that code. */
export function isKernelError(error: unknown, code?: ErrorCode): error is KernelError {
  return error instanceof KernelError && (code === undefined || error.code === code)
}

/** What an error says to a person; errors of a host may be anything. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
