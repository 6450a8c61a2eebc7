import { describe, expect, test } from 'vitest'
import { KernelError } from '@helm-ai-kernel/core'
import { post, problemOf, testApp } from '../support/http.ts'

describe('an error', () => {
  test('has one form that both kinds of clients read', async () => {
    const { call } = await testApp()
    const response = await call('/nothing?x=1', { headers: { 'x-helm-correlation-id': 'trace-1' } })
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const detail = 'there is nothing at this path'
    expect(await response.json()).toEqual({
      type: 'urn:helm:problem:NOT_FOUND',
      title: 'Not found',
      status: 404,
      detail,
      code: 'NOT_FOUND',
      reason_code: 'NOT_FOUND',
      instance: '/nothing',
      trace_id: 'trace-1',
      error: {
        message: detail,
        type: 'not_found_error',
        code: 'NOT_FOUND',
        reason_code: 'NOT_FOUND',
      },
    })
  })

  test.each([
    '/',
    '/api',
    '/api/v1',
    '/api/v1/evaluate/',
    '/API/v1/evaluate',
    '//api/v1/evaluate',
    '/api/v1/evaluate/batch',
    '/api/v1/receipts/a/b',
    '/log/checkpoint/x',
    '/metrics',
    '/constructor',
    '/__proto__',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/%ff',
  ])('%s is 404 NOT_FOUND', async (path) => {
    const { call } = await testApp()
    expect(await problemOf(await call(path))).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  })

  test.each(['/v1/chat/completions', '/v1/embeddings', '/v1/', '/v1/a/b/c'])(
    '%s is 404 PROXY_UNSUPPORTED for every method',
    async (path) => {
      const { call } = await testApp()
      for (const init of [{}, post('{}')]) {
        expect(await problemOf(await call(path, init))).toMatchObject({
          status: 404,
          code: 'PROXY_UNSUPPORTED',
        })
      }
    },
  )

  test.each([
    ['GET', '/api/v1/evaluate', 'POST'],
    ['HEAD', '/api/v1/evaluate', 'POST'],
    ['PUT', '/api/v1/evaluate', 'POST'],
    ['DELETE', '/api/v1/receipts', 'GET, HEAD'],
    ['POST', '/api/v1/receipts/x', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['OPTIONS', '/health', 'GET, HEAD'],
    ['PATCH', '/log/checkpoint', 'GET, HEAD'],
    ['constructor', '/health', 'GET, HEAD'],
  ])('%s %s is 405 and says what is allowed', async (method, path, allow) => {
    const { call } = await testApp()
    const response = await call(path, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe(allow)
  })

  test('HEAD answers as GET does, without a body', async () => {
    const { call } = await testApp()
    for (const path of ['/health', '/api/v1/receipts']) {
      const response = await call(path, { method: 'HEAD' })
      expect(response.status).toBe(200)
      expect(await response.text()).toBe('')
    }
  })

  test('of the kernel itself is 500, hides the cause and reports it', async () => {
    const cause = new Error('password=hunter2 at /data/ledger')
    const keys = (): never => {
      throw cause
    }
    const { call, events } = await testApp({ keys })
    const response = await call('/api/v1/keys')
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).not.toContain('hunter2')
    expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL', error: { type: 'api_error' } })
    expect(events).toMatchObject([{ status: 500, code: 'INTERNAL', cause }])
  })

  test('of the ledger is 503 with its own code and hides the cause', async () => {
    const { store } = await testApp()
    const receipts = {
      ...store,
      find: async (): Promise<never> => {
        throw new KernelError('LEDGER_CORRUPT', 'segment /data/ledger/wal/0 is cut')
      },
    }
    const { call } = await testApp({ receipts })
    const answer = await problemOf(await call('/api/v1/receipts'))
    expect(answer).toMatchObject({ status: 503, code: 'LEDGER_CORRUPT' })
    expect(answer.detail).not.toContain('/data')
  })

  test('never rejects the request of a host', async () => {
    const { app } = await testApp({
      readiness: () => {
        throw new TypeError('boom')
      },
    })
    expect((await app.fetch(new Request('http://localhost/readyz'))).status).toBe(500)
  })
})
