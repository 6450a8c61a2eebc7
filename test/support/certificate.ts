import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  readonly key: string
  /** PEM; it is its own CA. */
  readonly cert: string
}

/**
 * Makes a certificate for these names (`DNS:localhost`, `IP:127.0.0.1`) that is its own CA. Undefined,
 * and the reason printed, where there is no openssl.
 */
export function makeCertificate(...names: readonly string[]): Certificate | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'helm-certificate-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=helm test'],
        ...['-addext', `subjectAltName=${names.join()}`],
      ],
      { stdio: 'pipe' },
    )
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch (error) {
    console.log(`tests over TLS are skipped, no certificate could be made: ${String(error)}`)
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
