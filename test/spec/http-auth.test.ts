import { describe, expect, test } from 'vitest'
import { encodeUtf8 } from '@helm-ai-kernel/core'
import { credentialsOf } from '@helm-ai-kernel/http'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import { bearer, credentialInput, keys, post, problemOf, testApp } from '../support/http.ts'

const evaluate = post('{"action":"ticket.read"}')
const anyReceipt = `/api/v1/receipts/rcpt-${'0'.repeat(64)}`

describe('a protected route', () => {
  const routes: readonly (readonly [path: string, init: RequestInit])[] = [
    ['/api/v1/evaluate', evaluate],
    ['/api/v1/receipts', {}],
    [anyReceipt, {}],
    ['/log/checkpoint', {}],
  ]
  const refused: readonly (readonly [what: string, header: string | null, code: string])[] = [
    ['no credential', null, 'AUTH_MISSING'],
    ['another scheme', 'Basic YWxhZGRpbg==', 'AUTH_MALFORMED'],
    ['no key after the scheme', 'Bearer', 'AUTH_MALFORMED'],
    ['two keys after the scheme', 'Bearer a b', 'AUTH_MALFORMED'],
    ['a key without a scheme', keys.admin, 'AUTH_MALFORMED'],
    ['a key with other characters', 'Bearer clé', 'AUTH_MALFORMED'],
    ['a key of 513 characters', `Bearer ${'k'.repeat(513)}`, 'AUTH_MALFORMED'],
    ['an unknown key', 'Bearer helm_wrong', 'AUTH_INVALID'],
    ['the beginning of a key', `Bearer ${keys.admin.slice(0, -1)}`, 'AUTH_INVALID'],
    ['a key with another after it', `Bearer ${keys.admin}x`, 'AUTH_INVALID'],
    ['an expired key', `Bearer ${keys.expired}`, 'AUTH_EXPIRED'],
  ]
  const cases = routes.flatMap(([path, init]) =>
    refused.map(([what, header, code]) => [path, what, init, header, code] as const),
  )

  test.each(cases)('%s answers 401 to %s', async (path, _what, init, header, code) => {
    const { app } = await testApp()
    const headers = new Headers(init.headers)
    if (header !== null) headers.set('authorization', header)
    const response = await app.fetch(new Request(`http://localhost${path}`, { ...init, headers }))
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="helm-ai-kernel"/)
    const answer = await problemOf(response)
    expect(answer).toMatchObject({ status: 401, code })
    expect(answer.detail).not.toContain('helm_')
  })

  test('answers 401 AUTH_NOT_CONFIGURED and names the variables while there is no key', async () => {
    const none = { ...credentialInput, adminKey: undefined, clients: [] }
    const { call } = await testApp({ credentials: credentialsOf(none, nodeCrypto) })
    const answer = await problemOf(await call('/api/v1/receipts'))
    expect(answer).toMatchObject({ status: 401, code: 'AUTH_NOT_CONFIGURED' })
    expect(answer.detail).toContain('HELM_ADMIN_API_KEY')
    expect(answer.detail).toContain('HELM_API_KEYS_FILE')
  })

  test('answers 400 to two Authorization headers that a server joined', async () => {
    const { call } = await testApp()
    const authorization = `Bearer ${keys.agent}, Bearer ${keys.admin}`
    expect(
      await problemOf(await call('/api/v1/receipts', { headers: { authorization } })),
    ).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
  })

  test('takes the scheme in any case', async () => {
    const { call } = await testApp()
    const authorization = `bEARER ${keys.agent}`
    expect((await call('/api/v1/receipts', { headers: { authorization } })).status).toBe(200)
  })

  test('does not take x-api-key', async () => {
    const { app } = await testApp()
    const headers = { 'x-api-key': keys.admin }
    const response = await app.fetch(new Request('http://localhost/api/v1/receipts', { headers }))
    expect(await problemOf(response)).toMatchObject({ status: 401, code: 'AUTH_MISSING' })
  })
})

describe('roles', () => {
  const allowed: Readonly<Record<keyof typeof keys, readonly string[]>> = {
    admin: ['evaluate', 'receipts', 'checkpoint', 'hashes', 'entries'],
    agent: ['evaluate', 'receipts', 'checkpoint', 'hashes'],
    other: ['evaluate', 'receipts', 'checkpoint', 'hashes'],
    reader: ['receipts', 'checkpoint', 'hashes'],
    auditor: ['entries'],
    service: [],
    expired: [],
  }
  const doors: Readonly<Record<string, readonly [string, RequestInit]>> = {
    evaluate: ['/api/v1/evaluate', evaluate],
    receipts: ['/api/v1/receipts', {}],
    checkpoint: ['/log/checkpoint', {}],
    hashes: ['/log/tile/0/000.p/1', {}],
    entries: ['/log/tile/entries/000.p/1', {}],
  }
  const note = encodeUtf8(`log\n1\n${'A'.repeat(43)}=\n\n— log AAAAAAA=\n`)
  const log = { checkpoint: async () => note, tile: async () => new Uint8Array(32) }
  const matrix = Object.entries(allowed).flatMap(([name, open]) =>
    Object.keys(doors).map(
      (door) => [name as keyof typeof keys, door, open.includes(door)] as const,
    ),
  )

  test.each(matrix)('the key %s on the door %s: %s', async (name, door, opens) => {
    const { call } = await testApp({ log })
    const [path, init] = doors[door] ?? ['', {}]
    const headers = { ...Object.fromEntries(new Headers(init.headers)), ...bearer(keys[name]) }
    const { status } = await call(path, { ...init, headers })
    expect(status).toBe(opens ? 200 : name === 'expired' ? 401 : 403)
  })

  test('a 403 names the role that is missing', async () => {
    const { call } = await testApp()
    const init = post('{"action":"a"}', bearer(keys.reader))
    const answer = await problemOf(await call('/api/v1/evaluate', init))
    expect(answer).toMatchObject({ status: 403, code: 'AUTH_FORBIDDEN' })
    expect(answer.detail).toContain('decide')
  })

  test('a key opens until the moment it expires', async () => {
    const { call, clock } = await testApp()
    clock.step('wall', -1)
    expect((await call('/api/v1/receipts', { headers: bearer(keys.expired) })).status).toBe(200)
    clock.step('wall', 1)
    expect((await call('/api/v1/receipts', { headers: bearer(keys.expired) })).status).toBe(401)
  })

  test('the admin key has every role of a client in a decision', async () => {
    const { kernel, store } = await testApp()
    let roles: readonly string[] = []
    const spying = await testApp({
      receipts: store,
      kernel: {
        ...kernel,
        decide: async (request, caller) => {
          roles = caller?.roles ?? []
          return kernel.decide(request, caller)
        },
      },
    })
    await spying.call('/api/v1/evaluate', post('{"action":"a"}', bearer(keys.admin)))
    expect(roles).toEqual(['decide', 'read', 'approve', 'audit'])
  })
})

describe('an assertion header', () => {
  test.each([
    ['X-Helm-Tenant-ID', 'default', 'acme'],
    ['X-Helm-Workspace-ID', 'default', 'Default'],
    ['X-Helm-Principal-ID', 'agent:support', 'agent:support '.trim().toUpperCase()],
  ])('%s must agree with the credential', async (name, right, wrong) => {
    const { call } = await testApp()
    expect((await call('/api/v1/receipts', { headers: { [name]: right } })).status).toBe(200)
    const answer = await problemOf(await call('/api/v1/receipts', { headers: { [name]: wrong } }))
    expect(answer).toMatchObject({ status: 403, code: 'AUTH_FORBIDDEN' })
    expect(answer.detail).toContain(name)
  })
})
