import { type DecisionCode, type ErrorCode, type HttpCode, KernelError } from '@helm-ai-kernel/core'
import type { Reply } from './reply.ts'

/** Codes that an answer other than 200 may have. */
export type ProblemCode = HttpCode | LedgerCode | 'PROXY_UNSUPPORTED' | 'KEY_CHANGED'
type LedgerCode = Extract<DecisionCode, `LEDGER_${string}`>

/** What the log says of an answer: the problem's code, or the decision's. */
export type EventCode = ProblemCode | DecisionCode

/** Why a request gets no answer: a value, so that checks can be chained. */
export interface Refusal {
  readonly refused: ProblemCode
  /** What was wrong, and what to do. */
  readonly detail: string
  readonly headers?: Readonly<Record<string, string>>
  /** For the log; never for the caller. */
  readonly cause?: unknown
}

/** Status and title of each code (design 3.1). */
const problems = {
  AUTH_NOT_CONFIGURED: [401, 'No credential is configured'],
  AUTH_MISSING: [401, 'Credential missing'],
  AUTH_MALFORMED: [401, 'Credential malformed'],
  AUTH_INVALID: [401, 'Credential not accepted'],
  AUTH_EXPIRED: [401, 'Credential expired'],
  AUTH_FORBIDDEN: [403, 'Not allowed for this credential'],
  REQUEST_MALFORMED: [400, 'Request malformed'],
  TOO_LARGE: [413, 'Request too large'],
  RATE_LIMITED: [429, 'Too many requests'],
  NOT_FOUND: [404, 'Not found'],
  PROXY_UNSUPPORTED: [404, 'Not offered by the model proxy'],
  METHOD_NOT_ALLOWED: [405, 'Method not allowed'],
  IDEMPOTENCY_CONFLICT: [409, 'Idempotency key used before'],
  APPROVAL_DIGEST_MISSING: [428, 'Request digest required'],
  APPROVAL_DIGEST_MISMATCH: [409, 'Request digest differs'],
  APPROVAL_SELF: [403, 'Own request'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Unsupported media type'],
  ORIGIN_REFUSED: [403, 'Origin refused'],
  HOST_REFUSED: [421, 'Host refused'],
  REQUEST_TIMEOUT: [408, 'Request took too long'],
  OVERLOADED: [503, 'Too many requests in flight'],
  LEDGER_UNAVAILABLE: [503, 'Ledger unavailable'],
  LEDGER_FULL: [503, 'Ledger full'],
  LEDGER_TRUNCATED: [503, 'Ledger truncated'],
  LEDGER_CORRUPT: [503, 'Ledger corrupt'],
  KEY_CHANGED: [503, 'Signing key changed'],
  INTERNAL: [500, 'Internal error'],
} as const satisfies Record<ProblemCode, readonly [status: number, title: string]>

/** The kinds of error that clients of model APIs tell apart, by status. */
const kinds: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  500: 'api_error',
  503: 'overloaded_error',
}

const hidden =
  'the kernel could not answer; its log has the cause under this trace_id, and /readyz what to do'

/** What an error means for the caller. Only what a caller did wrong is told; the rest is `INTERNAL`. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof KernelError) || !isProblemCode(error.code)) {
    return { refused: 'INTERNAL', detail: hidden, cause: error }
  }
  const { code } = error
  return problems[code][0] < 500
    ? { refused: code, detail: error.message }
    : { refused: code, detail: hidden, cause: error }
}

/**
 * The one form of every error: an RFC 9457 problem, and in the same object the `error` member that
 * clients of model APIs expect. Hosts use it too, for what never became a request: then the path and
 * the id are empty.
 */
export function problem(
  { refused: code, detail, headers }: Refusal,
  path: string,
  correlationId: string,
): Reply {
  const [status, title] = problems[code]
  const type = kinds[status] ?? 'invalid_request_error'
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
    body: JSON.stringify({
      type: `urn:helm:problem:${code}`,
      title,
      status,
      detail,
      code,
      reason_code: code,
      instance: path,
      trace_id: correlationId,
      error: { message: detail, type, code, reason_code: code },
    }),
    code,
  }
}

function isProblemCode(code: ErrorCode): code is ProblemCode {
  return Object.hasOwn(problems, code)
}
