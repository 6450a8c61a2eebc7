import type { Brand } from '../bytes/brand.ts'
import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { toJson } from '../bytes/to-json.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'

/** What somebody wants to do, as a caller gives it. */
export interface RequestInput {
  /** Who asks: 1 to 256 bytes. Over HTTP it comes from the credential. */
  readonly principal: string
  /** What is to be done: 1 to 256 bytes. */
  readonly action: string
  /** To what: at most 2,048 bytes; `''` when absent. */
  readonly resource?: string | undefined
  readonly sessionId?: string | undefined
  readonly args?: unknown
  readonly context?: unknown
  readonly approvalId?: string | undefined
  readonly minPolicyEpoch?: number | undefined
}

interface Fields {
  readonly principal: string
  readonly action: string
  readonly resource: string
  readonly sessionId: string
  readonly args: JsonObject
  readonly context: JsonObject
  readonly approvalId: string | undefined
  readonly minPolicyEpoch: number | undefined
}

/** A request whose every member was checked. Only `parseRequest` makes one. */
export type Request = Brand<Fields, 'Request'>

const names = new Set([
  'principal',
  'action',
  'resource',
  'sessionId',
  'args',
  'context',
  'approvalId',
  'minPolicyEpoch',
])

// Control, bidirectional control, lone surrogates: what makes two identifiers look like one.
const unprintable = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/**
 * Checks a request and copies its data, so that nobody can change it while it is decided. Identifiers
 * are compared byte for byte: never trimmed, folded or normalised. Throws `REQUEST_MALFORMED`.
 */
export function parseRequest(input: RequestInput): Request {
  for (const name of Object.keys(input)) {
    if (!names.has(name)) refuse('no such member: remove it', name)
  }
  const { principal, action, resource = '', sessionId = '' } = input
  checkName(principal, 'principal', 256)
  checkName(action, 'action', 256)
  checkText(resource, 'resource', 2048)
  checkText(sessionId, 'session_id', 256)
  const { approvalId, minPolicyEpoch } = input
  if (approvalId !== undefined) checkName(approvalId, 'approval_id', 256)
  if (
    minPolicyEpoch !== undefined &&
    !(Number.isSafeInteger(minPolicyEpoch) && minPolicyEpoch >= 1)
  ) {
    refuse('an integer from 1', 'min_policy_epoch')
  }
  const fields: Fields = {
    principal,
    action,
    resource,
    sessionId,
    args: dataOf(input.args, 'args'),
    context: dataOf(input.context, 'context'),
    approvalId,
    minPolicyEpoch,
  }
  return Object.freeze(fields) as Request
}

/** Whether `text` may stand where the caller names something; used for resources taken from args too. */
export function isText(text: unknown, maxBytes: number): text is string {
  return (
    typeof text === 'string' &&
    !unprintable.test(text) &&
    (text.length * 3 <= maxBytes || encodeUtf8(text).length <= maxBytes)
  )
}

const empty: JsonObject = Object.freeze({})

function dataOf(value: unknown, name: string): JsonObject {
  if (value === undefined) return empty
  const json: Json = toJson(value, name)
  if (!isObject(json)) refuse('an object', name)
  return json
}

function checkName(value: unknown, name: string, maxBytes: number): void {
  checkText(value, name, maxBytes)
  if (value === '') refuse('must not be empty', name)
}

function checkText(value: unknown, name: string, maxBytes: number): void {
  if (!isText(value, maxBytes)) {
    refuse(
      `a text of at most ${maxBytes} bytes without control characters or lone surrogates`,
      name,
    )
  }
}

function refuse(message: string, at: string): never {
  throw new KernelError('REQUEST_MALFORMED', message, { at })
}
