import { describe, expect, test } from 'vitest'
import { keys, post, problemOf, testApp } from '../support/http.ts'

const loopback = { loopback: true, corsOrigins: [] }
const anywhere = { loopback: false, corsOrigins: ['https://console.example'] }

describe('Host', () => {
  test.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:1',
    '127.0.0.1',
    '127.0.0.1:65535',
    '127.8.9.10:80',
    '[::1]',
    '[::1]:8080',
  ])('%s reaches a kernel bound to loopback', async (host) => {
    const { call } = await testApp({ bind: loopback })
    expect((await call('/health', { headers: { host } })).status).toBe(200)
  })

  test.each([
    'helm.example',
    'localhost.example',
    'localhost.',
    '127.0.0.1.example',
    '127.0.0.1@example',
    '128.0.0.1',
    '0.0.0.0:8080',
    '[::2]',
    'example:8080#localhost',
  ])('%s does not', async (host) => {
    const { call } = await testApp({ bind: loopback })
    for (const path of ['/health', '/api/v1/receipts', '/nothing']) {
      expect(await problemOf(await call(path, { headers: { host } }))).toMatchObject({
        status: 421,
        code: 'HOST_REFUSED',
      })
    }
  })

  test('may be any name when the kernel is bound to more', async () => {
    const { call } = await testApp({ bind: anywhere })
    expect((await call('/health', { headers: { host: 'helm.example' } })).status).toBe(200)
  })

  test('twice is 400, wherever the kernel is bound', async () => {
    for (const bind of [loopback, anywhere]) {
      const { call } = await testApp({ bind })
      const headers = { host: 'localhost, localhost' }
      expect(await problemOf(await call('/health', { headers }))).toMatchObject({
        status: 400,
        code: 'REQUEST_MALFORMED',
      })
    }
  })
})

describe('a request of a page', () => {
  const host = 'helm.example'
  const cases: readonly (readonly [string, Record<string, string>, boolean])[] = [
    ['of this kernel itself', { origin: 'http://helm.example' }, true],
    [
      'of this kernel over TLS',
      { origin: 'https://helm.example', 'sec-fetch-site': 'same-origin' },
      true,
    ],
    ['that a person typed', { 'sec-fetch-site': 'none' }, true],
    ['of an allowed origin', { origin: 'https://console.example' }, true],
    [
      'of an allowed origin on another site',
      { origin: 'https://console.example', 'sec-fetch-site': 'cross-site' },
      true,
    ],
    ['of another origin', { origin: 'https://evil.example' }, false],
    ['of another port', { origin: 'http://helm.example:8081' }, false],
    ['of a subdomain', { origin: 'http://a.helm.example', 'sec-fetch-site': 'same-site' }, false],
    ['of another site without Origin', { 'sec-fetch-site': 'cross-site' }, false],
    [
      'that lies about its own site',
      { origin: 'http://helm.example', 'sec-fetch-site': 'cross-site' },
      false,
    ],
    ['without an origin of its own', { origin: 'null' }, false],
    ['with an origin that is none', { origin: 'helm.example' }, false],
    ['with two origins', { origin: 'http://helm.example, https://console.example' }, false],
    ['of the allowed origin in other letters', { origin: 'https://console.example:443' }, false],
  ]

  test.each(cases)('%s', async (_name, headers, allowed) => {
    const { call } = await testApp({ bind: anywhere })
    const response = await call('/api/v1/receipts', { headers: { host, ...headers } })
    if (allowed) expect(response.status).toBe(200)
    else {
      expect(response.headers.has('access-control-allow-origin')).toBe(false)
      expect(await problemOf(response)).toMatchObject({ status: 403, code: 'ORIGIN_REFUSED' })
    }
  })

  test('of an allowed origin may read the answer, also when it is a refusal', async () => {
    const { call } = await testApp({ bind: anywhere })
    const headers = { host, origin: 'https://console.example' }
    for (const path of ['/api/v1/receipts', '/nothing']) {
      const response = await call(path, { headers })
      expect(response.headers.get('access-control-allow-origin')).toBe('https://console.example')
      expect(response.headers.get('vary')).toBe('Origin')
    }
  })

  test('asks before it sends, and is told what it may', async () => {
    const { app } = await testApp({ bind: anywhere })
    const headers = {
      host,
      origin: 'https://console.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    }
    const request = new Request('http://helm.example/api/v1/evaluate', {
      method: 'OPTIONS',
      headers,
    })
    const response = await app.fetch(request)
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://console.example')
    expect(response.headers.get('access-control-allow-methods')).toBe('POST')
    expect(response.headers.get('access-control-allow-headers')).toContain('Authorization')
  })
})

describe('our own headers', () => {
  test.each(['X-Helm-Tenant', 'X-Helm-Admin', 'x-helm-', 'X-Helm-Receipt-ID'])(
    'the unknown %s is 400 and named',
    async (name) => {
      const { call } = await testApp()
      const answer = await problemOf(await call('/api/v1/receipts', { headers: { [name]: '1' } }))
      expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
      expect(answer.detail).toContain(name.toLowerCase())
    },
  )

  test('a correlation id comes back, in a problem too', async () => {
    const { call, events } = await testApp()
    const headers = { 'x-helm-correlation-id': 'trace-1/span.2' }
    for (const path of ['/health', '/nothing']) {
      const response = await call(path, { headers })
      expect(response.headers.get('x-helm-correlation-id')).toBe('trace-1/span.2')
    }
    expect(events.map((event) => event.correlationId)).toEqual(['trace-1/span.2', 'trace-1/span.2'])
    const problem = (await (await call('/nothing', { headers })).json()) as Record<string, unknown>
    expect(problem['trace_id']).toBe('trace-1/span.2')
  })

  test.each(['', 'a b', 'a,b', '<script>', 'é', 'a'.repeat(129)])(
    'the correlation id %j is replaced by a fresh one',
    async (id) => {
      const { call } = await testApp()
      const response = await call('/health', { headers: { 'x-helm-correlation-id': id } })
      expect(response.headers.get('x-helm-correlation-id')).toMatch(/^[0-9a-f]{32}$/)
    },
  )

  test('every answer has an id of its own when the caller gave none', async () => {
    const { call } = await testApp()
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await call('/health')).headers.get('x-helm-correlation-id')),
    )
    expect(new Set(ids).size).toBe(3)
  })
})

describe('every answer', () => {
  test.each(['/health', '/api/v1/receipts', '/api/v1/keys', '/nothing', '/v1/models'])(
    'of %s forbids caching, sniffing and framing',
    async (path) => {
      const { call } = await testApp()
      const { headers } = await call(path)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(headers.get('referrer-policy')).toBe('no-referrer')
    },
  )

  test('is reported without anything that the caller sent', async () => {
    const { call, evaluate, events } = await testApp()
    await evaluate({ action: 'ticket.read', args: { card: '4111' } })
    await call('/api/v1/receipts/rcpt-zz?secret=1')
    await call('/nothing/at/all', post('4111'))
    expect(events.map(({ status, method, route, code }) => [status, method, route, code])).toEqual([
      [200, 'POST', '/api/v1/evaluate', 'ALLOWED_BY_RULE'],
      [404, 'GET', '/api/v1/receipts/:receipt_id', 'NOT_FOUND'],
      [404, 'POST', '*', 'NOT_FOUND'],
    ])
    const text = JSON.stringify(events)
    for (const secret of ['4111', keys.agent, 'rcpt-zz', 'at/all'])
      expect(text).not.toContain(secret)
  })
})
