import {
  decodeHex,
  decodeJson,
  isText,
  isTimestamp,
  type Json,
  KernelError,
  scopeOf,
} from '@helm-ai-kernel/core'
import { closedObject, type ClosedObject } from '../closed.ts'
import { type ClientRole, clientRoles, isClientRole } from './role.ts'

/** An entry of the keys file (design 5.2): who has the key, and what it opens. */
export interface ClientKey {
  /** Stands in receipts; not secret. */
  readonly name: string
  /** SHA-256 of the key's text, 64 hex; the key itself is nowhere. */
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
  if (!Array.isArray(json)) throw new KernelError(code, 'the API keys file must be a list of keys')
  return (json as readonly Json[]).map((entry, i) => parseClientKey(entry, `[${i}]`))
}

function parseClientKey(entry: Json, at: string): ClientKey {
  const read = closedObject(entry, members, { code, what: 'an API key', at })
  const notAfter = read.text('not_after')
  if (notAfter !== undefined && !isTimestamp(notAfter)) {
    refuse('must be a time such as 2027-01-31T00:00:00.000Z', `${at}.not_after`)
  }
  return Object.freeze({
    name: nameOf(required(read, 'name', at), `${at}.name`),
    key_sha256: digestOf(required(read, 'key_sha256', at), `${at}.key_sha256`),
    ...scopeMembers(required(read, 'tenant_id', at), required(read, 'workspace_id', at), at),
    principal: principalOf(required(read, 'principal', at), `${at}.principal`),
    roles: rolesOf(read.list('roles') ?? [], `${at}.roles`),
    ...(notAfter !== undefined && { not_after: notAfter }),
  })
}

function required(read: ClosedObject, name: string, at: string): string {
  return read.text(name) ?? refuse(`an API key needs ${name}`, at)
}

function nameOf(name: string, at: string): string {
  if (nameForm.test(name)) return name
  return refuse('must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit', at)
}

function digestOf(hex: string, at: string): string {
  decodeHex(hex, 32, `${at}, the SHA-256 of the key,`, code)
  return hex.toLowerCase()
}

function scopeMembers(
  tenantId: string,
  workspaceId: string,
  at: string,
): Pick<ClientKey, 'tenant_id' | 'workspace_id'> {
  try {
    scopeOf(tenantId, workspaceId)
  } catch (cause) {
    throw new KernelError(code, cause instanceof Error ? cause.message : 'no scope', { at, cause })
  }
  return { tenant_id: tenantId, workspace_id: workspaceId }
}

function principalOf(principal: string, at: string): string {
  if (principal !== '' && isText(principal, 256)) return principal
  return refuse('must be 1 to 256 bytes without control characters', at)
}

function rolesOf(list: readonly Json[], at: string): readonly ClientRole[] {
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
