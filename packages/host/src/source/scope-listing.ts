import {
  decodeJson,
  isObject,
  type Json,
  KernelError,
  sameScope,
  type Scope,
  scopeOf,
  systemScope,
} from '@helm-ai-kernel/core'

/** Of a listing; it then names at most 29,000 scopes. */
export const maxListingBytes: number = 1024 * 1024

const code = 'HEAD_MALFORMED'
const what = 'the listing of scopes'

/**
 * Reads all scopes that a control plane has policy for: `{"scopes":[{"tenant_id","workspace_id"}]}` or
 * that list alone; unknown members are ignored. It must be whole: one that says that it goes on (`has_more`,
 * `next_cursor`) would withdraw what it leaves out. Throws `HEAD_MALFORMED`.
 */
export function parseListing(bytes: Uint8Array): readonly Scope[] {
  const json = decodeJson(bytes, { maxBytes: maxListingBytes, code, what })
  const { scopes, has_more: more, next_cursor: next } = isObject(json) ? json : { scopes: json }
  if (!isList(scopes)) throw new KernelError(code, `${what} must be {"scopes":[…]} or a list`)
  if (more === true || typeof next === 'string') {
    throw new KernelError(code, `${what} must be whole: let the control plane answer with all`)
  }
  return scopes.map(scopeAt)
}

function scopeAt(entry: Json, i: number): Scope {
  const at = `scopes[${i}]`
  const { tenant_id: tenant, workspace_id: workspace } = isObject(entry) ? entry : {}
  if (typeof tenant !== 'string' || typeof workspace !== 'string') {
    throw new KernelError(code, `${what} needs tenant_id and workspace_id`, { at })
  }
  const scope = named(tenant, workspace, at)
  if (sameScope(scope, systemScope)) {
    throw new KernelError(code, `${what} names helm/system, which is reserved`, { at })
  }
  return scope
}

function named(tenant: string, workspace: string, at: string): Scope {
  try {
    return scopeOf(tenant, workspace)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : ''
    throw new KernelError(code, `${what}: ${message}`, { at, cause })
  }
}

function isList(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json)
}
