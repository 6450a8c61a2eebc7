import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeUtf8, digest, encodeHex, nobleCrypto } from '@helm-ai-kernel/core'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type ApiServer, apiServer, type Fields } from '../support/api-server.ts'
import { policySigner, type SignedBundle, signedBundle } from '../support/kernel.ts'
import { endAll, start } from '../support/process.ts'

// The server as it stands in a pod, with its policy in HelmPolicyBundles: the API server alone is not real.

const adminKey = 'helm_admin-key-of-the-test'
let folder: string
let cluster: ApiServer

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-crd-'))
  cluster = await apiServer()
  for (const grant of ['get configmaps/policy', 'list helmpolicybundles']) cluster.grants.add(grant)
  cluster.grants.add('watch helmpolicybundles').add('patch helmpolicybundles/status')
})

afterEach(async () => {
  endAll()
  await cluster.close()
  await fs.rm(folder, { recursive: true, force: true })
})

function apply({ bytes, signature }: SignedBundle, policyEpoch: number, more: Fields = {}): void {
  cluster.put('configmaps', 'policy', { data: { 'policy.bundle': decodeUtf8(bytes) } })
  cluster.apply('prod', {
    tenantId: 'default',
    workspaceId: 'default',
    policyEpoch,
    policyHash: digest(nobleCrypto, bytes),
    bundleRef: { kind: 'ConfigMap', name: 'policy', key: 'policy.bundle' },
    signature: decodeUtf8(signature).trim(),
    ...more,
  })
}

async function serve() {
  const server = start(['serve'], {
    cwd: folder,
    env: {
      HELM_PORT: '0',
      HELM_HEALTH_PORT: '0',
      HELM_PRODUCTION: 'true',
      HELM_SIGNING_KEY: '42'.repeat(32),
      HELM_ADMIN_API_KEY: adminKey,
      HELM_DATA_DIR: join(folder, 'data'),
      HELM_POLICY_SOURCE_KIND: 'crd',
      HELM_POLICY_CRD_API_URL: cluster.url.href,
      HELM_POLICY_CRD_NAMESPACE: 'policies',
      HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
      HELM_POLICY_SIGNATURE_REQUIRED: 'true',
      // Only the watch can be as fast as this test wants it.
      HELM_POLICY_POLL_INTERVAL: '1h',
    },
  })
  const { api } = await server.line('helm-ai-kernel 0.5.6 is listening')
  const evaluate = async (): Promise<Record<string, unknown>> => {
    const response = await fetch(`${String(api)}/api/v1/evaluate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ action: 'ticket.read', resource: 'ticket:1' }),
    })
    return (await response.json()) as Record<string, unknown>
  }
  return { ...server, evaluate }
}

const status = (): Fields => cluster.object('prod')?.status ?? {}
const eventually = (holds: () => void | Promise<void>) => vi.waitFor(holds, { timeout: 20_000 })

it('serves from HelmPolicyBundles: starts, follows, refuses, writes status, withdraws', async () => {
  apply(signedBundle(3), 3)
  const server = await serve()
  await server.line('ready')
  expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_epoch: 3 })
  await eventually(() => {
    expect(status()).toMatchObject({
      installedPolicyEpoch: 3,
      conditions: [{ type: 'Ready', status: 'True' }],
    })
  })
  await vi.waitUntil(() => cluster.watches() === 1, { timeout: 20_000 })

  apply(signedBundle(4), 4)
  await eventually(async () => {
    expect(await server.evaluate()).toMatchObject({ policy_epoch: 4 })
  })

  apply(signedBundle(5), 5, { signature: decodeUtf8(signedBundle(6).signature).trim() })
  await eventually(() => {
    expect(status()).toMatchObject({ reasonCode: 'SIGNATURE_INVALID', installedPolicyEpoch: 4 })
  })
  expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_epoch: 4 })

  cluster.remove('prod')
  await eventually(async () => {
    expect(await server.evaluate()).toMatchObject({
      verdict: 'DENY',
      reason_code: 'POLICY_WITHDRAWN',
    })
  })
  await server.line('policy withdrawn')

  apply(signedBundle(4), 4)
  await eventually(async () => {
    expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_epoch: 4 })
  })
})

it('says what is missing when the service account may not list', async () => {
  cluster.grants.delete('list helmpolicybundles')
  const server = await serve()
  await server.line('not ready')
  const { reason } = await server.line('policy not installed')
  expect(reason).toContain('list')
  expect(await server.evaluate()).toMatchObject({ reason_code: 'POLICY_NOT_READY' })
})
