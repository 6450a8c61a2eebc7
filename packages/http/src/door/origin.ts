import type { Refusal } from '../problem.ts'

const ownSites: ReadonlySet<string | null> = new Set([null, 'same-origin', 'none'])

/**
 * Refuses what a page of another site sends, unless its origin is allowed: whoever opens a page must
 * not speak for it. Programs send neither header.
 */
export function checkOrigin(
  headers: Headers,
  host: string,
  allowed: readonly string[],
): Refusal | undefined {
  const origin = headers.get('origin')
  if (origin !== null && allowed.includes(origin)) return undefined
  const own = origin === null || isOrigin(origin, host)
  if (own && ownSites.has(headers.get('sec-fetch-site'))) return undefined
  return {
    refused: 'ORIGIN_REFUSED',
    detail: 'a page of another site may not call this kernel: name its origin in CORS_ORIGINS',
  }
}

function isOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
