import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { post, testApp } from '../support/http.ts'

const { call, store } = await testApp()
const numRuns = 500

/** JSON text as an attacker writes it: any members, broken in the middle, doubled, cut. */
const hostileJson = fc.oneof(
  fc.json(),
  fc.json().map((text) => text.slice(0, text.length / 2)),
  fc
    .dictionary(
      fc.constantFrom(
        'action',
        'tool',
        'resource',
        'args',
        'context',
        '__proto__',
        'min_policy_epoch',
      ),
      fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })),
    )
    .map((value) => JSON.stringify(value)),
  fc
    .tuple(fc.string({ unit: 'grapheme' }), fc.jsonValue())
    .map(([action, args]) => JSON.stringify({ action, args: { x: args } })),
  fc.string({ unit: 'binary' }),
)

describe('whatever is sent', () => {
  test('a body is answered with a verdict or a 4xx, never a 5xx', async () => {
    await fc.assert(
      fc.asyncProperty(hostileJson, async (body) => {
        const before = (await store.state()).size
        const { status } = await call('/api/v1/evaluate', post(body))
        expect([200, 400]).toContain(status)
        expect((await store.state()).size - before).toBe(status === 200 ? 1 : 0)
      }),
      { numRuns },
    )
  })

  test('bytes are answered with a 4xx', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect((await call('/api/v1/evaluate', post(Uint8Array.from(bytes)))).status).toBe(400)
      }),
      { numRuns },
    )
  })

  test('a path and a query are answered with less than 500', async () => {
    const part = fc.string({ unit: 'grapheme' }).map((text) => encodeURIComponent(text))
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 4 }), part, part, async (path, name, value) => {
        const { status } = await call(`/api/v1/${path.join('/')}?${name}=${value}`)
        expect(status).toBeLessThan(500)
      }),
      { numRuns },
    )
  })

  test('headers are answered with less than 500', async () => {
    const value = fc.string({ unit: fc.constantFrom(...Array.from('aZ0 ,;:="/<>{}[]\u00ff')) })
    const name = fc.constantFrom(
      'authorization',
      'host',
      'origin',
      'sec-fetch-site',
      'content-type',
      'content-length',
      'x-helm-tenant-id',
      'x-helm-correlation-id',
      'x-helm-session-id',
    )
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value), async (headers) => {
        const init = post('{"action":"ticket.read"}', headers)
        expect((await call('/api/v1/evaluate', init)).status).toBeLessThan(500)
      }),
      { numRuns },
    )
  })
})
