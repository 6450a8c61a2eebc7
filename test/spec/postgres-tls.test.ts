import { chownSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/certificate.ts'
import {
  type Address,
  freshSchema,
  hasPostgres,
  openIn,
  startPostgres,
  type TestServer,
} from '../support/postgres.ts'

const certificate = hasPostgres ? makeCertificate('DNS:localhost') : undefined
const other = hasPostgres ? makeCertificate('DNS:localhost') : undefined

describe.skipIf(certificate === undefined || other === undefined)('TLS to the database', () => {
  let server: TestServer
  let plain: TestServer
  beforeAll(async () => {
    ;[server, plain] = await Promise.all([startPostgres(), startPostgres()])
    await server.stop('fast')
    const { uid, gid } = statSync(server.folder)
    for (const [name, text] of [
      ['server.key', certificate?.key ?? ''],
      ['server.crt', certificate?.cert ?? ''],
    ] as const) {
      const path = join(server.folder, 'data', name)
      writeFileSync(path, text, { mode: 0o600 })
      chownSync(path, uid, gid)
    }
    server.set({ ssl: 'on' })
    await server.start()
  })
  afterAll(() => Promise.all([server.end(), plain.end()]))

  async function faultOf(
    at: TestServer,
    query: string,
    ca?: string,
    more: Partial<Address> = {},
  ): Promise<string | undefined> {
    const url = at.urlOf({ host: 'localhost', query: `?${query}`, ...more })
    const ledger = await openIn(
      { url },
      { schema: freshSchema(), ...(ca === undefined ? {} : { ca }) },
    )
    const fault = ledger.health()
    const usesTls = await at.sql(
      `SELECT count(*)::int AS n FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'helm-ai-kernel'`,
    )
    await ledger.close()
    if (fault !== undefined) return fault.detail
    return usesTls[0]?.['n'] === 0 ? 'plain' : 'tls'
  }

  it.each([
    ['disable', 'plain'],
    ['prefer', 'tls'],
    ['require', 'tls'],
  ])('sslmode=%s makes the connection %s', async (mode, expected) => {
    expect(await faultOf(server, `sslmode=${mode}`)).toBe(expected)
  })

  it('is not given up by require when the server has none, and is by prefer', async () => {
    expect(await faultOf(plain, 'sslmode=prefer')).toBe('plain')
    expect(await faultOf(plain, 'sslmode=require')).toContain('the database failed')
    expect(await faultOf(plain, 'sslmode=verify-full')).toContain('the database failed')
  })

  it('is verified against the CA that was given', async () => {
    const root = 'sslrootcert=/given/by/the/host'
    for (const mode of ['verify-ca', 'verify-full', 'require']) {
      expect(await faultOf(server, `sslmode=${mode}&${root}`, certificate?.cert)).toBe('tls')
      expect(await faultOf(server, `sslmode=${mode}&${root}`, other?.cert)).toMatch(/certificate/)
    }
  })

  it('is not trusted without a CA that knows the certificate', async () => {
    expect(await faultOf(server, 'sslmode=verify-full')).toMatch(/self-signed/)
  })

  it('is refused by verify-full for another name, which verify-ca takes', async () => {
    const at = { host: '127.0.0.1' }
    const ca = certificate?.cert
    const root = 'sslrootcert=/given/by/the/host'
    expect(await faultOf(server, `sslmode=verify-ca&${root}`, ca, at)).toBe('tls')
    expect(await faultOf(server, `sslmode=verify-full&${root}`, ca, at)).toMatch(/127\.0\.0\.1/)
  })

  it('does not begin when the CA that the URL names was not read', async () => {
    await expect(faultOf(server, 'sslmode=verify-full&sslrootcert=/ca.pem')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})
