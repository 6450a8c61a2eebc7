import type { ErrorCode } from '../error.ts'
import type { PolicyCode } from '../reason.ts'
import type { AttemptClass } from './attempt.ts'
import type { ReconcileStatus } from './status.ts'

/** What a code means for the attempt that it ended. */
export interface Outcome {
  readonly status: Exclude<ReconcileStatus, 'ok' | 'no_change'>
  readonly class: Exclude<AttemptClass, 'good'>
}

/** Nothing was learned of the policy: age alone ends what is installed. */
const unreachable = { status: 'source_error', class: 'unreachable' } as const
const refused = { status: 'invalid', class: 'refused' } as const
/** What no honest source sends. */
const hostile = { status: 'invalid', class: 'hostile' } as const

const outcomes = {
  SOURCE_UNREACHABLE: unreachable,
  SOURCE_TIMEOUT: unreachable,
  SOURCE_TOO_LARGE: unreachable,
  SOURCE_EMPTY: unreachable,
  SOURCE_AMBIGUOUS: unreachable,
  HEAD_MALFORMED: unreachable,
  SCOPE_CONFLICT: refused,
  SCOPE_MISMATCH: hostile,
  HASH_MISMATCH: hostile,
  SIGNATURE_MISSING: refused,
  SIGNATURE_INVALID: hostile,
  KEY_UNTRUSTED: hostile,
  THRESHOLD_NOT_MET: refused,
  TRUST_KEY_MISSING: refused,
  TRUST_ROOT_ROLLBACK: refused,
  NOT_CANONICAL: refused,
  BUNDLE_MALFORMED: refused,
  EPOCH_MISMATCH: hostile,
  EPOCH_ROLLBACK: hostile,
  EPOCH_EQUIVOCATION: hostile,
  EPOCH_JUMP: hostile,
  AUDIENCE_MISMATCH: refused,
  BUNDLE_EXPIRED: refused,
  NOT_YET_VALID: refused,
  EXPIRY_MISSING: refused,
  LIFETIME_TOO_LONG: refused,
  COMPILE_FAILED: { status: 'compile_error', class: 'refused' },
  SELF_TEST_FAILED: { status: 'validate_error', class: 'refused' },
} as const satisfies Record<PolicyCode, Outcome>

/** A fault of our own, such as a full disk, says as little of the policy as a source that is away. */
export function outcomeOf(code: ErrorCode): Outcome {
  return isPolicyCode(code) ? outcomes[code] : unreachable
}

export function isPolicyCode(code: ErrorCode): code is PolicyCode {
  return Object.hasOwn(outcomes, code)
}
