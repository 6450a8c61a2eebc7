import { describe, expect, test } from 'vitest'
import { keyIdOf, nobleCrypto } from '@helm-ai-kernel/core'
import {
  createHealthApp,
  credentialsOf,
  type HttpEvent,
  type Readiness,
} from '@helm-ai-kernel/http'
import { bearer, credentialInput, keys, problemOf, testApp } from '../support/http.ts'
import { kernelSigner, seededRandom, testKernel } from '../support/kernel.ts'

const finding = {
  check: 'policy',
  code: 'SOURCE_EMPTY',
  detail: 'no policy in /data/acme/policy for the tenant acme',
  fix: 'put policy.bundle into /data/acme/policy',
}
const notReady: Readiness = {
  ready: false,
  reasons: [finding],
  warnings: [{ ...finding, check: 'ledger', code: 'LEDGER_MISSING' }],
}

function healthApp(readiness: Readiness): (path: string, init?: RequestInit) => Promise<Response> {
  const { kernel, clock } = testKernel()
  const events: HttpEvent[] = []
  const app = createHealthApp({
    kernel,
    clock,
    random: seededRandom(),
    credentials: credentialsOf(credentialInput, nobleCrypto),
    readiness: () => readiness,
    report: (event) => events.push(event),
  })
  return async (path, init) => app.fetch(new Request(`http://10.1.2.3:8081${path}`, init))
}

describe('the probes', () => {
  test('are on both ports', async () => {
    const health = healthApp(notReady)
    const { call } = await testApp({ readiness: () => notReady })
    for (const probe of [health, call]) {
      for (const path of ['/health', '/healthz', '/livez']) {
        const response = await probe(path)
        expect(response.status).toBe(200)
        expect(await response.json()).toEqual({ status: 'ok' })
      }
      expect((await probe('/readyz')).status).toBe(503)
    }
  })

  test('are all that the health port has', async () => {
    const health = healthApp(notReady)
    for (const path of ['/version', '/api/v1/keys', '/api/v1/receipts', '/v1/models']) {
      expect(await problemOf(await health(path))).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    }
  })

  test('say ready, with what may become a trouble', async () => {
    const health = healthApp({ ...notReady, ready: true, reasons: [] })
    const response = await health('/readyz', { headers: bearer(keys.admin) })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ ready: true, reasons: [], warnings: notReady.warnings })
  })

  test.each([
    ['no credential', {}],
    ['a wrong key', bearer('helm_wrong')],
    ['a key of another scope', bearer(keys.other)],
    ['a key without the role read', bearer(keys.service)],
  ])('say why to %s, without tenants and paths', async (_name, headers) => {
    const response = await healthApp(notReady)('/readyz', { headers })
    expect(response.status).toBe(503)
    const text = await response.text()
    expect(text).not.toContain('acme')
    expect(text).not.toContain('/data')
    expect(JSON.parse(text)).toMatchObject({
      ready: false,
      reasons: [{ check: 'policy', code: 'SOURCE_EMPTY' }],
      warnings: [{ check: 'ledger', code: 'LEDGER_MISSING' }],
    })
  })

  test('say all to a key that may read', async () => {
    const response = await healthApp(notReady)('/readyz', { headers: bearer(keys.reader) })
    expect(await response.json()).toEqual(notReady)
  })
})

describe('what anybody may read', () => {
  test('the version of the build', async () => {
    const build = { version: '1.2.3', commit: 'abc' }
    const { app } = await testApp({ build })
    const response = await app.fetch(new Request('http://localhost/version'))
    expect(await response.json()).toEqual(build)
  })

  test('the public keys of the ledger', async () => {
    const key = {
      key_id: keyIdOf(nobleCrypto, kernelSigner.publicKey),
      public_key: '00',
      log_public_key: '01',
      first_index: 0,
      last_index: null,
    }
    const { app } = await testApp({ keys: async () => [key] })
    const response = await app.fetch(new Request('http://localhost/api/v1/keys'))
    expect(await response.json()).toEqual({ keys: [key] })
  })
})
