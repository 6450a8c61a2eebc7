import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeHex, type Json, type Scope } from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import { createLog, hostClock, parseConfiguration, type Runtime, serve } from '@helm-ai-kernel/host'
import type { Readiness } from '@helm-ai-kernel/http'
import { nodeRuntime } from '../../adapters/node/src/runtime.ts'
import { policySigner } from './kernel.ts'
import type { LogLine } from './process.ts'

/** What a server is told and nobody else may read. */
export const secrets = {
  adminKey: 'helm_admin-key-of-the-test',
  serviceKey: 'helm_service-key-of-the-test',
  seed: '42'.repeat(32),
  planeToken: 'a-token-nobody-may-read',
} as const

/** A receipt, as the API tells it. */
export type ToldReceipt = Readonly<Record<string, unknown>>

export interface Decided {
  readonly verdict: string
  readonly reason_code: string
  readonly policy_epoch: number | null
  readonly policy_hash: string | null
  readonly receipt_id: string
}

export interface Woken {
  readonly http: number
  /** Of each scope that was woken. */
  readonly statuses: readonly PolicyStatus[]
  /** Of the first. */
  readonly status: PolicyStatus
}

/** A whole server in this process, as the program runs it, on free ports. */
export interface TestServer {
  readonly api: string
  readonly health: string
  /** The lines of its log, and all of it as it was written. */
  lines(): readonly LogLine[]
  text(): string
  evaluate(request?: Readonly<Record<string, Json>>): Promise<Decided>
  /** Knocks at the wake route with the service key. */
  wake(scope?: Scope): Promise<Woken>
  status(): Promise<PolicyStatus>
  readyz(): Promise<Readiness & { readonly http: number }>
  receipts(kind: string): Promise<readonly ToldReceipt[]>
  receipt(id: string): Promise<ToldReceipt>
  /** The value of a series, written as in the exposition. */
  metric(series: string): Promise<number>
  close(): Promise<void>
}

/** Starts a server over the data in `folder`; `env` is the whole environment beside what tests need. */
export async function startServer(
  folder: string,
  env: Readonly<Record<string, string>>,
  runtime: Runtime = nodeRuntime,
): Promise<TestServer> {
  const { configuration } = parseConfiguration({
    environment: {
      HELM_PORT: '0',
      HELM_HEALTH_PORT: '0',
      HELM_METRICS_PORT: '0',
      HELM_METRICS_ENABLED: 'true',
      HELM_DATA_DIR: folder,
      HELM_SIGNING_KEY: secrets.seed,
      HELM_ADMIN_API_KEY: secrets.adminKey,
      HELM_SERVICE_API_KEY: secrets.serviceKey,
      ...env,
    },
    sources: ['mountedFile', 'controlplane'],
  })
  let text = ''
  const log = createLog({
    level: configuration.logLevel,
    format: 'json',
    clock: hostClock,
    write: (line) => void (text += line),
  })
  const running = await serve(configuration, runtime, log)
  await running.begun
  const { api, health, metrics = '' } = running.addresses

  return {
    api,
    health,
    text: () => text,
    lines: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as LogLine),
    evaluate: async (request = { action: 'ticket.read', resource: 'ticket:1' }) =>
      (await call(`${api}/api/v1/evaluate`, secrets.adminKey, request)).body as Decided,
    async wake(scope) {
      const url = new URL(`${api}/internal/policy/reconcile`)
      if (scope !== undefined) {
        url.searchParams.set('tenant_id', scope.tenantId)
        url.searchParams.set('workspace_id', scope.workspaceId)
      }
      const { http, body } = await call(url.href, secrets.serviceKey, 'nothing')
      const told = body as PolicyStatus | { readonly scopes: readonly PolicyStatus[] }
      const statuses = 'scopes' in told ? told.scopes : [told]
      const [status] = statuses
      if (status === undefined) throw new Error('the answer has no status')
      return { http, statuses, status }
    },
    status: async () => (await get('/api/v1/policy/status')) as PolicyStatus,
    async readyz() {
      const { http, body } = await call(`${health}/readyz`, secrets.adminKey)
      return { ...(body as Readiness), http }
    },
    async receipts(kind) {
      const path = `/api/v1/receipts?limit=1000&kind=${kind}`
      return ((await get(path)) as { readonly receipts: readonly ToldReceipt[] }).receipts
    },
    receipt: async (id) => (await get(`/api/v1/receipts/${id}`)) as ToldReceipt,
    async metric(series) {
      const exposition = await (await fetch(`${metrics}/metrics`)).text()
      const line = exposition.split('\n').find((one) => one.startsWith(`${series} `))
      return line === undefined ? NaN : Number(line.slice(series.length + 1))
    },
    close: () => running.close(0),
  }

  async function get(path: string): Promise<unknown> {
    return (await call(api + path, secrets.adminKey)).body
  }
}

/** GET, or POST where there is something to send. */
async function call(
  url: string,
  key: string,
  body?: 'nothing' | Readonly<Record<string, Json>>,
): Promise<{ readonly http: number; readonly body: unknown }> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(typeof body === 'object' && { body: JSON.stringify(body) }),
  })
  return { http: response.status, body: await response.json() }
}

/** What a server needs to take its policy from a control plane, signed by the key of the tests. */
export function fromControlPlane(url: string): Readonly<Record<string, string>> {
  return {
    HELM_POLICY_SOURCE_KIND: 'controlplane',
    HELM_POLICY_CONTROLPLANE_URL: url,
    HELM_POLICY_CONTROLPLANE_AUTH_MODE: 'bearerToken',
    HELM_POLICY_BEARER_TOKEN: secrets.planeToken,
    HELM_POLICY_SIGNATURE_REQUIRED: 'true',
    HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
    // Nobody asks but who is woken.
    HELM_POLICY_POLL_INTERVAL: '1h',
  }
}

export function temporaryFolder(): Promise<string> {
  return fs.mkdtemp(join(tmpdir(), 'helm-server-'))
}
