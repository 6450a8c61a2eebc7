import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { scopeOf } from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import {
  type App,
  type AppOptions,
  createInternalApp,
  createMetricsApp,
  credentialsOf,
} from '@helm-ai-kernel/http'
import { listen } from '../../adapters/node/src/listen.ts'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import { fakeClock } from '../support/clock.ts'
import { bearer, credentialInput, keys, problemOf, testApp } from '../support/http.ts'
import { seededRandom } from '../support/kernel.ts'
import { policyStatus, stillAuthority } from '../support/policy-status.ts'

const wakePath = '/internal/policy/reconcile'
const acme = policyStatus({ tenant_id: 'acme', workspace_id: 'prod' })
const service = { method: 'POST', headers: bearer(keys.service) }

/** The API over an authority whose scopes stand so. */
async function policyApp(
  statuses: readonly PolicyStatus[] = [policyStatus()],
  more: Partial<AppOptions> = {},
) {
  const policy = stillAuthority(() => statuses)
  const made = await testApp({ policy, ...more })
  const wake = (query = '', init: RequestInit = {}): Promise<Response> =>
    made.call(`${wakePath}${query}`, { ...service, ...init })
  return { ...made, policy, wake }
}

describe('the wake route', () => {
  test('wakes every scope, and answers the only one as it is', async () => {
    const { wake, policy } = await policyApp()
    const response = await wake()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual(policyStatus())
    expect(policy.wakes).toEqual([undefined])
  })

  test('wakes the scope that is asked for, and answers it alone', async () => {
    const { wake, policy } = await policyApp([acme, policyStatus()])
    const response = await wake('?tenant_id=acme&workspace_id=prod')
    expect(await response.json()).toEqual(acme)
    expect(policy.wakes).toEqual([scopeOf('acme', 'prod')])
  })

  const outcomes: readonly (readonly [PolicyStatus['reconcile_status'], number])[] = [
    ['ok', 200],
    ['no_change', 200],
    ['invalid', 422],
    ['compile_error', 422],
    ['validate_error', 422],
    ['source_error', 503],
  ]

  test.each(outcomes)('answers %s with %i, and the status is the body', async (ended, status) => {
    const one = policyStatus({ reconcile_status: ended, reason: 'do this' })
    const { wake } = await policyApp([one])
    const response = await wake()
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual(one)
  })

  test.each([
    [['ok', 'no_change'], 200],
    [['invalid', 'ok'], 422],
    [['ok', 'source_error', 'invalid'], 503],
  ] as const)('answers several scopes as a list, by the worst: %j is %i', async (ended, code) => {
    const statuses = ended.map((one, i) =>
      policyStatus({ tenant_id: `t${i}`, reconcile_status: one }),
    )
    const { wake } = await policyApp(statuses)
    const response = await wake()
    expect(response.status).toBe(code)
    expect(await response.json()).toEqual({ scopes: statuses })
  })

  test('answers 404 for a scope of which nothing is known, also after it was asked for', async () => {
    const { wake, policy } = await policyApp()
    const answer = await problemOf(await wake('?tenant_id=acme&workspace_id=prod'))
    expect(answer).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    expect(policy.wakes).toEqual([scopeOf('acme', 'prod')])
  })

  test('answers 404 when there is no scope at all', async () => {
    const { wake } = await policyApp([])
    expect(await problemOf(await wake())).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  })

  test.each([
    ['a tenant without a workspace', '?tenant_id=acme'],
    ['a workspace without a tenant', '?workspace_id=prod'],
    ['a parameter that there is not', '?tenant_id=acme&workspace_id=prod&force=true'],
    ['a parameter twice', '?tenant_id=acme&workspace_id=prod&tenant_id=other'],
    ['no identifier', '?tenant_id=acme%2Fprod&workspace_id=prod'],
    ['an empty identifier', '?tenant_id=&workspace_id='],
  ])('refuses %s and wakes nobody', async (_what, query) => {
    const { wake, policy } = await policyApp([acme])
    expect(await problemOf(await wake(query))).toMatchObject({
      status: 400,
      code: 'REQUEST_MALFORMED',
    })
    expect(policy.wakes).toEqual([])
  })

  const streamOf = (...chunks: readonly string[]): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
        controller.close()
      },
    })
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new Error('socket hang up')),
  })

  test.each([
    ['one byte', { body: 'x' }],
    ['a bundle', { body: '{"schema":"helm.bundle/v1","rules":[]}' }],
    ['a stream', { body: streamOf('', 'x'), duplex: 'half' }],
    ['a body that breaks off', { body: broken, duplex: 'half' }],
    ['a declared length', { headers: { ...service.headers, 'content-length': '1' } }],
    ['a length that is none', { headers: { ...service.headers, 'content-length': 'x' } }],
    ['chunks to come', { headers: { ...service.headers, 'transfer-encoding': 'chunked' } }],
  ])('takes no body: %s is 400, and nobody is woken', async (_what, init) => {
    const { wake, policy } = await policyApp()
    const answer = await problemOf(await wake('', init as RequestInit))
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(answer.detail).toContain('policy source')
    expect(policy.wakes).toEqual([])
  })

  test.each([
    ['a stream without a byte', { body: streamOf(''), duplex: 'half' }],
    ['a length of 0', { headers: { ...service.headers, 'content-length': '0' } }],
  ])('takes %s for no body', async (_what, init) => {
    const { wake } = await policyApp()
    expect((await wake('', init as RequestInit)).status).toBe(200)
  })

  test('reads no more of a body than its first byte', async () => {
    let cancelled = false
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => controller.enqueue(new Uint8Array(++pulled)),
        cancel: () => void (cancelled = true),
      },
      { highWaterMark: 0 },
    )
    const { wake } = await policyApp()
    const init = { body: endless, duplex: 'half' } as RequestInit
    expect((await wake('', init)).status).toBe(400)
    expect([pulled, cancelled]).toEqual([1, true])
  })

  test('waits 15 s for the attempt, and answers then as things are', async () => {
    let ended: PolicyStatus['reconcile_status'] = 'source_error'
    const policy = stillAuthority(() => [policyStatus({ reconcile_status: ended })])
    const hanging = { ...policy, wake: () => new Promise<never>(() => undefined) }
    const { call, clock } = await testApp({ policy: hanging })
    let answered = false
    const response = call(wakePath, service).finally(() => (answered = true))
    const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    await settle()
    clock.advance(14_999)
    await settle()
    expect(answered).toBe(false)
    ended = 'no_change'
    clock.advance(1)
    expect((await response).status).toBe(200)
  })

  test('answers when the attempt has ended, not before', async () => {
    let finish: () => void = () => undefined
    let ended: PolicyStatus['reconcile_status'] = 'source_error'
    const policy = stillAuthority(() => [policyStatus({ reconcile_status: ended })])
    const wake = (): Promise<void> => new Promise((resolve) => (finish = resolve))
    const { call } = await testApp({ policy: { ...policy, wake } })
    const response = call(wakePath, service)
    await new Promise((resolve) => setImmediate(resolve))
    ended = 'ok'
    finish()
    expect((await response).status).toBe(200)
  })

  test('is POST alone', async () => {
    const { call, policy } = await policyApp()
    const response = await call(wakePath, { headers: bearer(keys.service) })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect(policy.wakes).toEqual([])
  })

  test('can have another path', async () => {
    const { call } = await policyApp(undefined, { wakePath: '/internal/wake' })
    expect((await call('/internal/wake', service)).status).toBe(200)
    expect((await call(wakePath, service)).status).toBe(404)
  })
})

describe('the key of the wake route', () => {
  const setting = /HELM_SERVICE_API_KEY.*helm\.auth\.serviceAPIKey.*helm\.auth\.existingSecret/

  test.each([
    ['none', {}, 'AUTH_MISSING'],
    ['a malformed one', { authorization: keys.service }, 'AUTH_MALFORMED'],
    ['an unknown one', bearer('helm_wrong'), 'AUTH_INVALID'],
    ['the beginning of the right one', bearer(keys.service.slice(0, -1)), 'AUTH_INVALID'],
  ])('is missed when there is %s: 401 names what to set', async (_what, headers, code) => {
    const { app, policy } = await policyApp()
    const request = new Request(`http://localhost${wakePath}`, { method: 'POST', headers })
    const response = await app.fetch(request)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="helm-ai-kernel"/)
    const answer = await problemOf(response)
    expect(answer).toMatchObject({ status: 401, code })
    expect(answer.detail).toMatch(setting)
    expect(answer.detail).not.toContain('helm_')
    expect(policy.wakes).toEqual([])
  })

  test.each(['admin', 'agent', 'reader', 'auditor'] as const)(
    'is not the key %s: 403',
    async (name) => {
      const { wake, policy } = await policyApp()
      const answer = await problemOf(await wake('', { headers: bearer(keys[name]) }))
      expect(answer).toMatchObject({ status: 403, code: 'AUTH_FORBIDDEN' })
      expect(answer.detail).toMatch(setting)
      expect(policy.wakes).toEqual([])
    },
  )

  test('is told to be not configured when there is none, whatever other keys there are', async () => {
    const credentials = credentialsOf({ ...credentialInput, serviceKey: undefined }, nodeCrypto)
    const { wake } = await policyApp(undefined, { credentials })
    for (const key of [keys.service, keys.admin]) {
      const answer = await problemOf(await wake('', { headers: bearer(key) }))
      expect(answer).toMatchObject({ status: 401, code: 'AUTH_NOT_CONFIGURED' })
      expect(answer.detail).toMatch(setting)
    }
  })

  test('opens it also when there is no other key', async () => {
    const credentials = credentialsOf(
      { ...credentialInput, adminKey: undefined, clients: [] },
      nodeCrypto,
    )
    const { wake } = await policyApp(undefined, { credentials })
    expect((await wake()).status).toBe(200)
  })

  test('is asked for before anything else is looked at', async () => {
    const { wake } = await policyApp()
    const answer = await problemOf(await wake('?x=1', { body: 'x', headers: bearer('helm_wrong') }))
    expect(answer.code).toBe('AUTH_INVALID')
  })
})

describe('the internal port', () => {
  async function internalApp(): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
    const policy = stillAuthority(() => [policyStatus()])
    const app = createInternalApp({
      policy,
      clock: fakeClock(),
      random: seededRandom(),
      credentials: credentialsOf(credentialInput, nodeCrypto),
      limits: { maxInFlight: 4, maxBodyBytes: 0, ratePerSecond: undefined },
      bind: { loopback: false, corsOrigins: [] },
      report: () => undefined,
    })
    return async (path, init) => app.fetch(new Request(`http://10.1.2.3:8082${path}`, init))
  }

  test('has the wake route and nothing else', async () => {
    const call = await internalApp()
    expect((await call(wakePath, service)).status).toBe(200)
    expect((await call(wakePath, { method: 'POST' })).status).toBe(401)
    for (const path of ['/health', '/metrics', '/api/v1/policy/status', '/v1/models']) {
      expect(await problemOf(await call(path))).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    }
  })

  test('leaves nothing of it on the API port', async () => {
    const { wake, policy } = await policyApp(undefined, { internalApart: true })
    expect(await problemOf(await wake())).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    expect(policy.wakes).toEqual([])
  })
})

describe('the policy status', () => {
  test("is that of the key's own scope", async () => {
    const { call } = await policyApp([acme, policyStatus()])
    const path = '/api/v1/policy/status'
    expect(await (await call(path)).json()).toEqual(policyStatus())
    const other = await call(path, { headers: bearer(keys.other) })
    expect(await other.json()).toEqual(acme)
  })

  test('is 404 where nothing is known', async () => {
    const { call } = await policyApp([acme])
    const answer = await problemOf(await call('/api/v1/policy/status'))
    expect(answer).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    expect(answer.detail).not.toContain('acme')
  })

  test('takes no scope from a caller', async () => {
    const { call } = await policyApp([acme, policyStatus()])
    const path = '/api/v1/policy/status?tenant_id=acme&workspace_id=prod'
    expect(await problemOf(await call(path))).toMatchObject({
      status: 400,
      code: 'REQUEST_MALFORMED',
    })
  })

  test.each([
    ['reader', 200],
    ['admin', 200],
    ['auditor', 403],
    ['service', 403],
  ] as const)('needs the role read: with the key %s it is %i', async (name, status) => {
    const { call, policy } = await policyApp()
    const response = await call('/api/v1/policy/status', { headers: bearer(keys[name]) })
    expect(response.status).toBe(status)
    expect(policy.wakes).toEqual([])
  })
})

describe('the metrics port', () => {
  const bind = { loopback: true, corsOrigins: [] }
  const metrics = async () => ({ contentType: 'text/plain; version=0.0.4', body: 'helm_ready 1\n' })
  const app = createMetricsApp({
    metrics,
    bind,
    clock: fakeClock(),
    random: seededRandom(),
    report: () => undefined,
  })
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    app.fetch(new Request(`http://localhost:9090${path}`, { headers }))

  test('is open, and serves the text as it is', async () => {
    const response = await get('/metrics')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    expect(await response.text()).toBe('helm_ready 1\n')
  })

  test('has nothing else', async () => {
    for (const path of ['/', '/health', '/api/v1/receipts', wakePath]) {
      expect((await get(path)).status).toBe(404)
    }
  })

  test('is closed to a page of another site, and to other names of a loopback address', async () => {
    expect((await get('/metrics', { origin: 'https://evil.example' })).status).toBe(403)
    expect((await get('/metrics', { host: 'evil.example' })).status).toBe(421)
  })
})

describe('over a socket', () => {
  /** The status line of the answer to a wake whose headers end with these lines. */
  async function statusOver(app: App, rest: string): Promise<string> {
    const listener = await listen(app, { host: '127.0.0.1', port: 0, maxConnections: 10 })
    try {
      return await new Promise<string>((resolve, reject) => {
        const socket = connect(listener.port, '127.0.0.1')
        let text = ''
        socket.on('data', (piece) => (text += piece.toString()))
        socket.on('close', () => resolve(text.split('\r\n')[0] ?? ''))
        socket.on('error', reject)
        socket.write(
          `POST ${wakePath} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
            `Authorization: Bearer ${keys.service}\r\n${rest}`,
        )
      })
    } finally {
      listener.abort()
    }
  }

  test.each([
    ['no body', '\r\n', '200'],
    ['a length of 0', 'Content-Length: 0\r\n\r\n', '200'],
    ['one byte', 'Content-Length: 1\r\n\r\nx', '400'],
    ['one byte in chunks', 'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n', '400'],
    ['chunks that never come', 'Transfer-Encoding: chunked\r\n\r\n', '400'],
  ])('a wake with %s', async (_what, rest, status) => {
    const { app, policy } = await policyApp()
    expect(await statusOver(app, rest)).toContain(` ${status} `)
    expect(policy.wakes).toHaveLength(status === '200' ? 1 : 0)
  })
})
