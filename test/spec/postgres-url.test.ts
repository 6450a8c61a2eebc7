import { parseDatabaseUrl } from '@helm-ai-kernel/postgres'
import { describe, expect, it } from 'vitest'

const parsed = (url: string) => {
  const { password, ...rest } = parseDatabaseUrl(url)
  return { ...rest, password: password() }
}

describe('a DATABASE_URL', () => {
  it('names user, password, host, port and database', () => {
    expect(parsed('postgres://me:secret@db.example:6432/helm')).toEqual({
      user: 'me',
      password: 'secret',
      host: 'db.example',
      port: 6432,
      name: 'helm',
      tls: 'prefer',
      caFile: undefined,
    })
    expect(parsed('postgresql://me@db/helm')).toMatchObject({ port: 5432, password: '' })
  })

  it('is percent-encoded', () => {
    expect(parsed('postgres://a%40b:p%3A%2F%40%25%C3%A9@db/my%20db')).toMatchObject({
      user: 'a@b',
      password: 'p:/@%é',
      name: 'my db',
    })
  })

  it('may name an address or the folder of a Unix socket', () => {
    expect(parsed('postgres://me@[::1]:1/helm')).toMatchObject({ host: '::1', port: 1 })
    expect(parsed('postgres://me@/helm?host=/run/postgresql')).toMatchObject({
      host: '/run/postgresql',
      tls: 'disable',
    })
  })

  it.each([
    ['sslmode=disable', { tls: 'disable', caFile: undefined }],
    ['sslmode=prefer', { tls: 'prefer', caFile: undefined }],
    ['sslmode=require', { tls: 'require', caFile: undefined }],
    ['sslmode=verify-ca', { tls: 'verify-ca', caFile: undefined }],
    ['sslmode=verify-full', { tls: 'verify-full', caFile: undefined }],
    ['sslmode=verify-full&sslrootcert=/etc/ca.pem', { tls: 'verify-full', caFile: '/etc/ca.pem' }],
    ['sslmode=require&sslrootcert=%2Fetc%2Fca.pem', { tls: 'verify-ca', caFile: '/etc/ca.pem' }],
    ['sslmode=require&sslrootcert=system', { tls: 'verify-full', caFile: undefined }],
  ])('with %s asks for as much as libpq does', (query, expected) => {
    expect(parsed(`postgres://me@db/helm?${query}`)).toMatchObject(expected)
  })

  it.each([
    ['mysql://me:hunter2@db/helm', 'postgres://'],
    ['postgres://me:hunter2@/helm', 'name a host'],
    ['postgres://me:hunter2@db', 'postgres://'],
    ['postgres://me:hunter2@one,two/helm', 'one host'],
    ['postgres://me:hunter2@db:0/helm', 'postgres://'],
    ['postgres://me:hunter2@db:70000/helm', '65535'],
    ['postgres://me:hunter2@@db/helm', 'two hex digits'],
    ['postgres://me:hunter2%zz@db/helm', 'two hex digits'],
    ['postgres://me:hunter2%00x@db/helm', 'control character'],
    ['postgres://me:hunter2@db/helm?sslmode=allow', 'verify-full'],
    ['postgres://me:hunter2@db/helm?sslmode=disable&sslrootcert=/ca', 'verify-full'],
    ['postgres://me:hunter2@db/helm?sslrootcert=/ca', 'verify-full'],
    ['postgres://me:hunter2@db/helm?sslmode=require&sslmode=disable', 'each once'],
    ['postgres://me:hunter2@db/helm?options=-csearch_path', 'remove others'],
    ['postgres://me@db/helm?password=hunter2', 'remove others'],
    ['postgres://me:hunter2@/helm?host=relative', 'Unix socket'],
  ])('such as %s is refused with what to do, and nothing of it is repeated', (url, fix) => {
    const refusal = (() => {
      try {
        return parseDatabaseUrl(url)
      } catch (error) {
        return error
      }
    })()
    expect(refusal).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(fix) as unknown,
    })
    expect(`${String(refusal)}${JSON.stringify(refusal)}`).not.toContain('hunter2')
    expect(refusal).not.toHaveProperty('cause')
  })

  it('does not give its password to whoever prints it', () => {
    expect(JSON.stringify(parseDatabaseUrl('postgres://me:hunter2@db/helm'))).not.toContain(
      'hunter2',
    )
  })
})
