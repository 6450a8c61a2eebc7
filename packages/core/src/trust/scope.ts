import { KernelError } from '../error.ts'

/** Tenant and workspace: a pair, never a joined string. */
export interface Scope {
  readonly tenantId: string
  readonly workspaceId: string
}

/** The form of both identifiers. */
export const identifier: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/** Keys and trust changes are recorded here; no bundle and no credential may name it (design 2.6). */
export const systemScope: Scope = Object.freeze({ tenantId: 'helm', workspaceId: 'system' })

/** Checks both identifiers. Throws `IDENTIFIER_INVALID`. */
export function scopeOf(tenantId: string, workspaceId: string): Scope {
  for (const [name, value] of [
    ['tenant_id', tenantId],
    ['workspace_id', workspaceId],
  ] as const) {
    if (!identifier.test(value)) {
      throw new KernelError(
        'IDENTIFIER_INVALID',
        `${name} must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit`,
        { at: name },
      )
    }
  }
  return Object.freeze({ tenantId, workspaceId })
}

export function sameScope(a: Scope, b: Scope): boolean {
  return a.tenantId === b.tenantId && a.workspaceId === b.workspaceId
}

/** A map key. `/` cannot occur in either identifier, so two scopes never share one. */
export function scopeKey(scope: Scope): string {
  return `${scope.tenantId}/${scope.workspaceId}`
}
