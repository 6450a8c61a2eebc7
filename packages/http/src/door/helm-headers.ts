import type { Refusal } from '../problem.ts'

/** The headers of our own that a request may have (design 5.3). */
export const requestHeaders = [
  'X-Helm-Tenant-ID',
  'X-Helm-Workspace-ID',
  'X-Helm-Principal-ID',
  'X-Helm-Session-ID',
  'X-Helm-Approval-ID',
  'X-Helm-Correlation-ID',
] as const

const prefix = 'x-helm-'
const known: ReadonlySet<string> = new Set(requestHeaders.map((name) => name.toLowerCase()))

/** Refuses a header of ours that does not exist: whoever sends it expects something of it. */
export function checkHelmHeaders(headers: Headers): Refusal | undefined {
  for (const name of headers.keys()) {
    if (name.startsWith(prefix) && !known.has(name)) {
      return {
        refused: 'REQUEST_MALFORMED',
        detail: `there is no request header ${name}: leave it out`,
      }
    }
  }
  return undefined
}
