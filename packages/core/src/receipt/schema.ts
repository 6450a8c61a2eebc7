import { isDigest } from '../bytes/digest.ts'
import { isObject, type Json } from '../bytes/json.ts'
import { isTimestamp } from '../bytes/time.ts'
import { KernelError } from '../error.ts'
import { isKeyId } from '../crypto/key-id.ts'
import { type Check, fits, type Members, object, type Shape, shapeOf, violation } from './shape.ts'
import type { DecisionBody, Kind, Statement } from './statement.ts'

// A table of predicates and not valibot: whoever verifies receipts in a browser loads this file.

const matches =
  (form: RegExp): Check =>
  (value) =>
    typeof value === 'string' && form.test(value)
const text =
  (max: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= max
const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && values.includes(value)
const listOf =
  (check: Check, max: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(check)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const bool: Check = (value) => typeof value === 'boolean'
const positive: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 1
const hex32 = matches(/^[0-9a-f]{32}$/)
const hex64 = matches(/^[0-9a-f]{64}$/)
const code = matches(/^[A-Z][A-Z_]{0,63}$/)
const identifier = matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
const receiptId = matches(/^rcpt-[0-9a-f]{64}$/)
const line = text(2048)
const short = text(256)
const keyIds = listOf(isKeyId, 64)

const head: Members = {
  type: oneOf('helm.receipt/v1'),
  kind: short,
  ledger_id: hex32,
  kernel: text(64),
  key_id: isKeyId,
  scope: object({ tenant_id: identifier, workspace_id: identifier }),
  seq: positive,
  prev: isDigest,
  time: isTimestamp,
}

const linkMembers: Members = {
  decision: receiptId,
  approval: short,
  previous: short,
  idempotency: short,
  tool_call_id: short,
}

const bodies: Readonly<Record<Kind, readonly [required: Members, optional?: Members]>> = {
  decision: [
    {
      surface: oneOf('evaluate', 'batch', 'proxy', 'mcp', 'embed'),
      request_id: hex32,
      auth: object({ credential: short, method: oneOf('key', 'embed') }),
      principal: short,
      session_id: short,
      action: short,
      resource: line,
      args_hash: isDigest,
      context_hash: isDigest,
      policy_epoch: orNull(positive),
      policy_hash: orNull(isDigest),
      policy_signed: orNull(bool),
      policy_verified_at: orNull(isTimestamp),
      verdict: oneOf('ALLOW', 'DENY', 'ESCALATE'),
      reason_code: code,
      rule_ids: listOf(short, 64),
      links: object({}, linkMembers),
    },
    { rule_count: positive },
  ],
  outcome: [
    {
      status: oneOf('ok', 'error', 'aborted'),
      output_hash: orNull(isDigest),
      links: object({ decision: receiptId }, linkMembers),
    },
  ],
  activation: [
    {
      policy_epoch: positive,
      policy_hash: isDigest,
      signed: bool,
      key_ids: keyIds,
      source: short,
      bundle_ref: line,
      previous_epoch: orNull(positive),
      previous_hash: orNull(isDigest),
    },
  ],
  rejection: [
    {
      reason_code: code,
      desired_epoch: orNull(positive),
      desired_hash: orNull(isDigest),
      source: short,
    },
  ],
  forget: [{ previous_epoch: positive, previous_hash: isDigest }],
  approval: [
    {
      event: oneOf('requested', 'granted', 'denied', 'consumed', 'expired'),
      approval_id: matches(/^appr-[0-9a-f]{64}$/),
      request_digest: isDigest,
      policy_hash: isDigest,
      expires_at: isTimestamp,
      principal: short,
      credential: short,
    },
  ],
  tool: [
    {
      event: oneOf('quarantined', 'drifted', 'approved'),
      server: short,
      tool: short,
      digest: isDigest,
    },
  ],
  key: [
    {
      event: oneOf('began', 'ended'),
      subject_key_id: isKeyId,
      public_key: hex64,
      log_public_key: orNull(hex64),
      endorsed: bool,
    },
  ],
  trust: [{ digest: isDigest, version: positive, key_ids: keyIds }],
}

const shapes: ReadonlyMap<string, Shape> = new Map(
  Object.entries(bodies).map(([kind, [required, optional]]) => [
    kind,
    shapeOf({ ...head, ...required }, optional),
  ]),
)

/** Narrows decoded JSON to a statement; every level is closed. Throws `RECEIPT_MALFORMED`. */
export function parseStatement(value: Json): Statement {
  const kind = isObject(value) ? value['kind'] : undefined
  const shape = typeof kind === 'string' ? shapes.get(kind) : undefined
  if (!isObject(value) || typeof kind !== 'string' || shape === undefined) {
    throw new KernelError('RECEIPT_MALFORMED', 'a statement is an object of a known kind', {
      at: 'kind',
    })
  }
  const fitting = fits(value, shape) ? (value as unknown as Statement) : undefined
  const at = fitting === undefined ? violation(value, shape) : contradiction(fitting)
  if (fitting !== undefined && at === undefined) return fitting
  throw new KernelError('RECEIPT_MALFORMED', `a ${kind} receipt with a wrong member`, {
    ...(at !== undefined && { at }),
  })
}

/** The member that does not go with another, where each is good by itself. */
function contradiction(statement: Statement): string | undefined {
  if (statement.kind === 'decision') return hasWholePolicy(statement) ? undefined : 'policy_epoch'
  if (statement.kind !== 'key') return undefined
  const { event, log_public_key } = statement
  const endorsed: boolean = statement.endorsed
  // Nobody but its holder can tell a successor's log key.
  if ((event === 'ended') !== (log_public_key === null)) return 'log_public_key'
  return event === 'began' || endorsed ? undefined : 'endorsed'
}

/** The policy members are null together or not at all. */
function hasWholePolicy(decision: DecisionBody): boolean {
  const { policy_epoch, policy_hash, policy_signed, policy_verified_at } = decision
  const isNull = policy_epoch === null
  return [policy_hash, policy_signed, policy_verified_at].every((one) => (one === null) === isNull)
}
