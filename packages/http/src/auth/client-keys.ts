import {
  decodeHex,
  decodeJson,
  encodeHex,
  isText,
  type Json,
  KernelError,
  parseTimestamp,
  type Scope,
  scopeOf,
} from '@helm-ai-kernel/core'
import { closedObject, type ClosedObject } from '../closed.ts'
import { type ClientRole, clientRoles, isClientRole } from './role.ts'

/** An entry of the keys file (design 5.2): who has the key, and what it opens. */
export interface ClientKey {
  /** Stands in receipts; not secret. */
  readonly name: string
  /** Digest of the key's text, 64 hex; the key itself is nowhere. */
  readonly key_sha256: string
  readonly tenant_id: string
  readonly workspace_id: string
  readonly principal: string
  readonly roles: readonly ClientRole[]
  /** From this moment on it opens nothing. */
  readonly not_after?: string
}

const members: ReadonlySet<string> = new Set([
  'name',
  'key_sha256',
  'tenant_id',
  'workspace_id',
  'principal',
  'roles',
  'not_after',
])
const code = 'API_KEYS_INVALID'
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const maxFileBytes = 1 << 20

/** Reads the bytes of `HELM_API_KEYS_FILE`. Throws `API_KEYS_INVALID` that names the place. */
export function parseClientKeys(bytes: Uint8Array): readonly ClientKey[] {
  const json = decodeJson(bytes, { maxBytes: maxFileBytes, code, what: 'the API keys file' })
  if (!Array.isArray(json)) throw new KernelError(code, 'the API keys file is a list of keys')
  return (json as readonly Json[]).map((entry, i) => clientKey(entry, `[${i}]`))
}

function clientKey(entry: Json, at: string): ClientKey {
  const read = closedObject(entry, members, { code, what: 'an API key', at })
  const name = required(read, 'name', at)
  if (!nameForm.test(name)) {
    refuse('must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit', `${at}.name`)
  }
  const principal = required(read, 'principal', at)
  if (principal === '' || !isText(principal, 256)) {
    refuse('must be 1 to 256 bytes without control characters', `${at}.principal`)
  }
  const notAfter = read.text('not_after')
  if (notAfter !== undefined && parseTimestamp(notAfter) === undefined) {
    refuse('must be a time such as 2027-01-31T00:00:00.000Z', `${at}.not_after`)
  }
  const scope = scopeAt(required(read, 'tenant_id', at), required(read, 'workspace_id', at), at)
  return Object.freeze({
    name,
    key_sha256: digestAt(required(read, 'key_sha256', at), `${at}.key_sha256`),
    tenant_id: scope.tenantId,
    workspace_id: scope.workspaceId,
    principal,
    roles: rolesAt(read.list('roles') ?? [], `${at}.roles`),
    ...(notAfter !== undefined && { not_after: notAfter }),
  })
}

function required(read: ClosedObject, name: string, at: string): string {
  return read.text(name) ?? refuse(`an API key needs ${name}`, at)
}

function scopeAt(tenantId: string, workspaceId: string, at: string): Scope {
  try {
    return scopeOf(tenantId, workspaceId)
  } catch (cause) {
    throw new KernelError(code, cause instanceof Error ? cause.message : 'no scope', { at, cause })
  }
}

function digestAt(hex: string, at: string): string {
  try {
    return encodeHex(decodeHex(hex, 32, 'a key digest'))
  } catch (cause) {
    throw new KernelError(code, 'must be the SHA-256 of the key, 64 hex digits', { at, cause })
  }
}

function rolesAt(list: readonly Json[], at: string): readonly ClientRole[] {
  const roles = list.filter(isClientRole)
  if (roles.length === 0 || roles.length < list.length || new Set(roles).size < roles.length) {
    refuse(`must be a list of distinct roles, from ${clientRoles.join(', ')}`, at)
  }
  if (roles.includes('audit') && roles.length > 1) {
    refuse('audit sees every scope and stands alone: use two keys', at)
  }
  return Object.freeze(roles)
}

function refuse(message: string, at: string): never {
  throw new KernelError(code, message, { at })
}
