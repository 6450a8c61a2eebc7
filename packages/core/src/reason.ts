/**
 * Every reason code, once (design 3.1, 3.2). A code is part of the contract: clients branch on it, so
 * it may be added but never renamed.
 */
export const reasonCodes = {
  /** Why a decision is what it is; these reach receipts, except LEDGER_*. */
  decision: [
    'ALLOWED_BY_RULE',
    'DENIED_BY_RULE',
    'ESCALATED_BY_RULE',
    'NO_MATCHING_RULE',
    'CONDITION_ERROR',
    'POLICY_NOT_READY',
    'POLICY_WITHDRAWN',
    'POLICY_INVALIDATED',
    'POLICY_EXPIRED',
    'POLICY_STALE',
    'POLICY_BEHIND',
    'APPROVAL_CONSUMED',
    'APPROVAL_UNKNOWN',
    'APPROVAL_PENDING',
    'APPROVAL_DENIED',
    'APPROVAL_MISMATCH',
    'APPROVAL_STALE',
    'APPROVAL_USED',
    'APPROVAL_EXPIRED',
    'APPROVAL_LIMIT',
    'LEDGER_UNAVAILABLE',
    'LEDGER_FULL',
    'LEDGER_TRUNCATED',
    'LEDGER_CORRUPT',
    'TOOL_QUARANTINED',
    'TOOL_DRIFTED',
    'TOOL_UNDECLARED',
    'TOOL_NAME_RESERVED',
    'ARGS_MALFORMED',
    'PROXY_UNSUPPORTED',
  ],
  /** Why an HTTP request got no decision. */
  http: [
    'AUTH_NOT_CONFIGURED',
    'AUTH_MISSING',
    'AUTH_MALFORMED',
    'AUTH_INVALID',
    'AUTH_EXPIRED',
    'AUTH_FORBIDDEN',
    'REQUEST_MALFORMED',
    'TOO_LARGE',
    'RATE_LIMITED',
    'NOT_FOUND',
    'METHOD_NOT_ALLOWED',
    'IDEMPOTENCY_CONFLICT',
    'APPROVAL_DIGEST_MISSING',
    'APPROVAL_DIGEST_MISMATCH',
    'APPROVAL_SELF',
    'UNSUPPORTED_MEDIA_TYPE',
    'ORIGIN_REFUSED',
    'HOST_REFUSED',
    'REQUEST_TIMEOUT',
    'OVERLOADED',
    'INTERNAL',
  ],
  /** Why the model proxy could not reach its upstream. */
  upstream: [
    'UPSTREAM_NOT_CONFIGURED',
    'UPSTREAM_UNREACHABLE',
    'UPSTREAM_TIMEOUT',
    'UPSTREAM_TOO_LARGE',
    'UPSTREAM_MALFORMED',
  ],
  /** Why the kernel is not ready, beyond the codes above. */
  readiness: [
    'LEDGER_MISSING',
    'LEDGER_ROLLED_BACK',
    'KEY_CHANGED',
    'API_KEYS_INVALID',
    'DRAINING',
  ],
  /** Why a policy was not installed: one code a step of design 3.2. */
  policy: [
    'SOURCE_UNREACHABLE',
    'SOURCE_TIMEOUT',
    'SOURCE_TOO_LARGE',
    'SOURCE_EMPTY',
    'SOURCE_AMBIGUOUS',
    'HEAD_MALFORMED',
    'SCOPE_MISMATCH',
    'SCOPE_CONFLICT',
    'HASH_MISMATCH',
    'SIGNATURE_MISSING',
    'SIGNATURE_INVALID',
    'KEY_UNTRUSTED',
    'THRESHOLD_NOT_MET',
    'TRUST_KEY_MISSING',
    'TRUST_ROOT_ROLLBACK',
    'NOT_CANONICAL',
    'BUNDLE_MALFORMED',
    'EPOCH_MISMATCH',
    'EPOCH_ROLLBACK',
    'EPOCH_EQUIVOCATION',
    'EPOCH_JUMP',
    'AUDIENCE_MISMATCH',
    'BUNDLE_EXPIRED',
    'NOT_YET_VALID',
    'EXPIRY_MISSING',
    'LIFETIME_TOO_LONG',
    'COMPILE_FAILED',
    'SELF_TEST_FAILED',
  ],
} as const

type Codes = typeof reasonCodes

export type DecisionCode = Codes['decision'][number]
export type HttpCode = Codes['http'][number]
export type UpstreamCode = Codes['upstream'][number]
export type ReadinessCode = Codes['readiness'][number]
export type PolicyCode = Codes['policy'][number]
export type ReasonCode = DecisionCode | HttpCode | UpstreamCode | ReadinessCode | PolicyCode
