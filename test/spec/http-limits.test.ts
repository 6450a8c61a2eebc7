import { describe, expect, test } from 'vitest'
import { bearer, keys, post, problemOf, testApp } from '../support/http.ts'

const small = { maxInFlight: 2, maxBodyBytes: 64, ratePerSecond: undefined }
const body = (bytes: number): string => `{"action":"${'a'.repeat(bytes - 13)}"}`

describe('a body that is too large', () => {
  test.each([
    [64, 200],
    [65, 413],
  ])('of %i bytes is %i', async (bytes, status) => {
    const { call } = await testApp({ limits: small })
    expect((await call('/api/v1/evaluate', post(body(bytes)))).status).toBe(status)
  })

  test('is refused by its declared length before anything is read', async () => {
    const { call } = await testApp({ limits: small })
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>(
      { pull: (controller) => controller.enqueue(new Uint8Array(++pulled)) },
      { highWaterMark: 0 },
    )
    const init = { ...post(endless, { 'content-length': '65' }), duplex: 'half' as const }
    expect(await problemOf(await call('/api/v1/evaluate', init))).toMatchObject({
      status: 413,
      code: 'TOO_LARGE',
    })
    expect(pulled).toBe(0)
  })

  test('is refused while it streams, and no more of it is read', async () => {
    const { call } = await testApp({ limits: small })
    let pulled = 0
    let cancelled = false
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(32).fill(0x20))
      },
      cancel: () => void (cancelled = true),
    })
    const init = { ...post(endless), duplex: 'half' as const }
    const answer = await problemOf(await call('/api/v1/evaluate', init))
    expect(answer).toMatchObject({ status: 413, code: 'TOO_LARGE' })
    expect(answer.detail).toContain('64 bytes')
    expect(cancelled).toBe(true)
    expect(pulled).toBeLessThan(8)
  })

  test('is refused when it is longer than it was declared', async () => {
    const { call } = await testApp({ limits: small })
    const init = post(body(80), { 'content-length': '10' })
    expect((await problemOf(await call('/api/v1/evaluate', init))).status).toBe(413)
  })

  test('and one that breaks off is 400', async () => {
    const { call } = await testApp({ limits: small })
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => controller.error(new Error('socket hang up')),
    })
    const answer = await problemOf(
      await call('/api/v1/evaluate', { ...post(broken), duplex: 'half' }),
    )
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(answer.detail).not.toContain('socket')
  })
})

describe('the in-flight cap', () => {
  test('refuses the next request at once, and lets it in when one has ended', async () => {
    const { kernel, store } = await testApp()
    const waiting: (() => void)[] = []
    const { call } = await testApp({
      receipts: store,
      limits: small,
      kernel: {
        ...kernel,
        decide: async (request, caller) => {
          await new Promise<void>((resolve) => waiting.push(resolve))
          return kernel.decide(request, caller)
        },
      },
    })
    const ask = async (): Promise<Response> => call('/api/v1/evaluate', post('{"action":"a"}'))
    const first = [ask(), ask()]
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve))

    const refused = await ask()
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'OVERLOADED' })
    expect((await call('/health')).status).toBe(200)

    for (const go of waiting.splice(0)) go()
    expect((await Promise.all(first)).map((response) => response.status)).toEqual([200, 200])
    expect((await call('/api/v1/receipts')).status).toBe(200)
  })

  test('is not used up by requests that fail', async () => {
    const { call } = await testApp({ limits: small })
    for (let i = 0; i < 5; i++) await call('/api/v1/evaluate', post('{'))
    expect((await call('/api/v1/receipts')).status).toBe(200)
  })
})

describe('the rate', () => {
  test('is per credential, and a refusal says when to come again', async () => {
    const { call, clock } = await testApp({ limits: { ...small, ratePerSecond: 2 } })
    const status = async (key: string): Promise<number> =>
      (await call('/api/v1/receipts', { headers: bearer(key) })).status
    expect([await status(keys.agent), await status(keys.agent)]).toEqual([200, 200])
    const refused = await call('/api/v1/receipts')
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await problemOf(refused)).toMatchObject({ status: 429, code: 'RATE_LIMITED' })
    expect(await status(keys.reader)).toBe(200)

    clock.step('monotonic', 500)
    expect([await status(keys.agent), await status(keys.agent)]).toEqual([200, 429])
    clock.step('monotonic', 60_000)
    expect([await status(keys.agent), await status(keys.agent), await status(keys.agent)]).toEqual([
      200, 200, 429,
    ])
  })

  test('below one a second lets one through at a time', async () => {
    const { call, clock } = await testApp({ limits: { ...small, ratePerSecond: 0.1 } })
    expect((await call('/api/v1/receipts')).status).toBe(200)
    expect((await call('/api/v1/receipts')).headers.get('retry-after')).toBe('10')
    clock.step('monotonic', 10_000)
    expect((await call('/api/v1/receipts')).status).toBe(200)
  })

  test('does not follow the wall clock', async () => {
    const { call, clock } = await testApp({ limits: { ...small, ratePerSecond: 1 } })
    expect((await call('/api/v1/receipts')).status).toBe(200)
    clock.step('wall', 3_600_000)
    expect((await call('/api/v1/receipts')).status).toBe(429)
  })

  test('does not count probes', async () => {
    const { call } = await testApp({ limits: { ...small, ratePerSecond: 1 } })
    for (let i = 0; i < 5; i++) expect((await call('/readyz')).status).toBe(200)
  })
})
