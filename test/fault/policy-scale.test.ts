import { createPrivateKey, sign } from 'node:crypto'
import fs from 'node:fs/promises'
import { digest, encodeUtf8, type Scope, scopeOf } from '@helm-ai-kernel/core'
import { encodeBundle } from '@helm-ai-kernel/core/bundle'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { afterEach, expect, it } from 'vitest'
import { startControlPlane, type TestControlPlane } from '../support/control-plane.ts'
import type { SignedBundle } from '../support/kernel.ts'
import { hang, honest } from '../support/misbehaviour.ts'
import {
  fromControlPlane,
  secrets,
  startServer,
  temporaryFolder,
  type TestServer,
} from '../support/server.ts'

// Each scope is kept by three synced files: figures are asked of 10,000, which takes minutes here.
const count = Number(process.env['HELM_TEST_SCOPES'] ?? 2_000)

let folder: string | undefined
let plane: TestControlPlane | undefined
let server: TestServer | undefined

afterEach(async () => {
  await server?.close()
  await plane?.close()
  if (folder !== undefined) await fs.rm(folder, { recursive: true, force: true })
})

/** The key of the tests in Node's own form, which signs ten times as fast. */
const key = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${'09'.repeat(32)}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
})

function bundleOf(of: Scope): SignedBundle {
  const rules = [{ id: 'r', effect: 'ALLOW', actions: [`${of.workspaceId}.read`] }]
  const bytes = encodeBundle({ rules }, { scope: of, policyEpoch: 1 })
  return { bytes, signature: encodeUtf8(sign(null, bytes, key).toString('hex')) }
}

it(`serves ${count} listed scopes, of which one hangs and one is hostile, and harms no other`, async () => {
  const scopes = Array.from({ length: count }, (_, i) => scopeOf('many', `s${i}`))
  const [own, poisoned, hostile] = scopes
  if (own === undefined || poisoned === undefined || hostile === undefined) throw new Error('few')
  folder = await temporaryFolder()
  plane = await startControlPlane()
  plane.requireToken(secrets.planeToken)
  plane.list(scopes)
  const bundles = new Map(scopes.map((one) => [one, bundleOf(one)]))
  for (const [one, bundle] of bundles) {
    plane.publish(bundle, one === hostile ? { signature: '00'.repeat(64) } : {})
  }
  plane.on('head', (exchange) => {
    const isPoisoned = exchange.request.url?.endsWith(`workspace_id=${poisoned.workspaceId}`)
    const manner = isPoisoned === true ? hang : honest
    manner(exchange)
  })

  const begun = performance.now()
  const seconds = (): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`
  const started = await startServer(folder, {
    ...fromControlPlane(plane.url),
    HELM_RUNTIME_TENANT_ID: own.tenantId,
    HELM_RUNTIME_WORKSPACE_ID: own.workspaceId,
    HELM_READY_SCOPES: 'runtime',
    HELM_POLICY_POLL_INTERVAL: '10s',
  })
  server = started
  expect((await started.readyz()).http).toBe(200)
  const ready = seconds()

  const scopesThatAre = (state: string): Promise<number> =>
    started.metric(`helm_policy_scopes{snapshot_status="${state}"}`)
  const decide = async (): Promise<void> => {
    const action = `${own.workspaceId}.read`
    expect(await started.evaluate({ action })).toMatchObject({ verdict: 'ALLOW' })
  }
  while ((await scopesThatAre('active')) < count - 2) {
    await decide()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  console.log(`${count} scopes: ready after ${ready}, all active after ${seconds()}`)

  const step = Math.ceil(count / 50)
  const some = scopes.filter((one, i) => i % step === 0 && one !== poisoned && one !== hostile)
  for (const one of some) {
    const { http, status } = await started.wake(one)
    expect([http, status.snapshot_status, status.installed_policy_hash]).toEqual([
      200,
      'active',
      digest(nodeCrypto, bundles.get(one)?.bytes ?? new Uint8Array()),
    ])
  }
  const refused = await started.wake(hostile)
  expect([refused.http, refused.status.reason_code]).toEqual([422, 'SIGNATURE_INVALID'])
  const lost = await started.wake(poisoned)
  expect([lost.http, lost.status.reason_code]).toEqual([503, 'SOURCE_TIMEOUT'])
  expect([await scopesThatAre('active'), await scopesThatAre('no_policy')]).toEqual([count - 2, 2])
  await decide()
}, 120_000)
