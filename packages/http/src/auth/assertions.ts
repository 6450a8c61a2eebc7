import type { Refusal } from '../problem.ts'
import type { Credential } from './credentials.ts'

/** What a caller may say about itself; the credential alone decides. */
const assertions: Readonly<Record<string, (credential: Credential) => string>> = {
  'X-Helm-Tenant-ID': ({ scope }) => scope.tenantId,
  'X-Helm-Workspace-ID': ({ scope }) => scope.workspaceId,
  'X-Helm-Principal-ID': ({ principal }) => principal,
}

/** Refuses a request whose headers name another scope or principal than its credential has. */
export function checkAssertions(headers: Headers, credential: Credential): Refusal | undefined {
  for (const [name, valueOf] of Object.entries(assertions)) {
    const asserted = headers.get(name)
    if (asserted !== null && asserted !== valueOf(credential)) {
      return {
        refused: 'AUTH_FORBIDDEN',
        detail: `${name} does not name what this key is for: leave it out, or use the right key`,
      }
    }
  }
  return undefined
}
