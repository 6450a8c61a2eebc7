import { KernelError } from '@helm-ai-kernel/core'
import type { Database } from './database-url.ts'

/** What postgres.js, and Node's tls.connect behind it, take. */
export type TlsOptions = false | 'prefer' | 'require' | Readonly<Record<string, unknown>>

/**
 * The meaning of each sslmode for postgres.js, whose own words are traps: its `require` verifies
 * nothing, its `verify-full` takes no CA, and for an address it compares the certificate with the name
 * `localhost`.
 */
export function tlsOptions({ tls, host, caFile }: Database, ca: string | undefined): TlsOptions {
  if (caFile !== undefined && ca === undefined) {
    throw new KernelError('CONFIG_INVALID', 'the certificate that sslrootcert names was not given')
  }
  switch (tls) {
    case 'disable':
      return false
    case 'prefer':
    case 'require':
      return tls
    case 'verify-ca':
      return { ...verified(ca), checkServerIdentity: () => undefined }
    case 'verify-full':
      return { ...verified(ca), host }
  }
}

function verified(ca: string | undefined) {
  // Given, so that NODE_TLS_REJECT_UNAUTHORIZED means nothing here.
  return { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) }
}

/** What an operator should know of a connection that nobody verified. */
export function tlsWarning({ tls, host }: Database): string | undefined {
  if (tls === 'verify-ca' || tls === 'verify-full') return undefined
  if (host.startsWith('/') || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host)) return undefined
  return (
    `sslmode=${tls} does not verify who the database is: ` +
    'add sslmode=verify-full, and sslrootcert, to DATABASE_URL'
  )
}
