import { createHash } from 'node:crypto'
import type { KernelOptions, Tiles } from '@helm-ai-kernel/core'
import {
  type App,
  type AppOptions,
  createApp,
  type CredentialInput,
  credentialsOf,
  type HttpEvent,
} from '@helm-ai-kernel/http'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import { readyKernel, seededRandom, type TestKernel } from './kernel.ts'
import { scope } from './policy.ts'

/** What clients present; `agent` decides and reads, `other` has a scope of its own. */
export const keys = {
  admin: 'helm_admin',
  service: 'helm_service',
  agent: 'helm_agent',
  reader: 'helm_reader',
  auditor: 'helm_auditor',
  expired: 'helm_expired',
  other: 'helm_other',
} as const

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const inScope = { tenant_id: scope.tenantId, workspace_id: scope.workspaceId }

const client = (name: keyof typeof keys): { name: string; key_sha256: string } => ({
  name,
  key_sha256: sha256(keys[name]),
})

export const credentialInput: CredentialInput = {
  adminKey: keys.admin,
  serviceKey: keys.service,
  clients: [
    { ...client('agent'), ...inScope, principal: 'agent:support', roles: ['decide', 'read'] },
    { ...client('reader'), ...inScope, principal: 'user:reader', roles: ['read'] },
    { ...client('auditor'), ...inScope, principal: 'user:auditor', roles: ['audit'] },
    {
      ...client('expired'),
      ...inScope,
      principal: 'agent:old',
      roles: ['decide', 'read'],
      not_after: '2026-11-22T06:00:00.000Z',
    },
    {
      ...client('other'),
      tenant_id: 'acme',
      workspace_id: 'prod',
      principal: 'agent:acme',
      roles: ['decide', 'read'],
    },
  ],
  runtime: { scope, principal: 'system-admin' },
}

/** A log that has published nothing. */
const noLog: Tiles = { checkpoint: async () => undefined, tile: async () => undefined }

export interface TestApp extends TestKernel {
  readonly app: App
  readonly events: readonly HttpEvent[]
  /** Sends a request with the agent's key, unless the headers say otherwise. */
  readonly call: (path: string, init?: RequestInit) => Promise<Response>
  /** Asks for a decision; the answer's JSON. */
  readonly evaluate: (body: unknown, init?: RequestInit) => Promise<Record<string, unknown>>
}

/** The API over a kernel that has the sample policy; every option can be replaced. */
export async function testApp(
  more: Partial<AppOptions> = {},
  kernelOptions: Partial<KernelOptions> = {},
): Promise<TestApp> {
  const made = await readyKernel({ crypto: nodeCrypto, ...kernelOptions })
  const events: HttpEvent[] = []
  const app = createApp({
    kernel: made.kernel,
    receipts: made.store,
    crypto: nodeCrypto,
    clock: made.clock,
    random: seededRandom(2),
    credentials: credentialsOf(credentialInput, nodeCrypto),
    policy: { wake: async () => undefined, status: () => undefined, statuses: () => [] },
    log: noLog,
    keys: async () => [],
    readiness: () => ({ ready: true, reasons: [], warnings: [] }),
    limits: { maxInFlight: 1024, maxBodyBytes: 1 << 20, ratePerSecond: undefined },
    bind: { loopback: true, corsOrigins: [] },
    logPublic: false,
    build: { version: '0.0.0' },
    report: (event) => events.push(event),
    ...more,
  })
  const call = async (path: string, init: RequestInit = {}): Promise<Response> =>
    app.fetch(
      new Request(`http://localhost:8080${path}`, {
        ...init,
        headers: { authorization: `Bearer ${keys.agent}`, ...headersOf(init) },
      }),
    )
  const evaluate = async (
    body: unknown,
    init: RequestInit = {},
  ): Promise<Record<string, unknown>> => {
    const response = await call('/api/v1/evaluate', {
      ...post(typeof body === 'string' ? body : JSON.stringify(body)),
      ...init,
    })
    return (await response.json()) as Record<string, unknown>
  }
  return { ...made, app, events, call, evaluate }
}

export function post(
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
): RequestInit {
  return { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }
}

export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` }
}

function headersOf({ headers }: RequestInit): Record<string, string> {
  return Object.fromEntries(new Headers(headers))
}

/** The members of a problem that a program looks at. */
export async function problemOf(
  response: Response,
): Promise<{ status: number; code: string; detail: string }> {
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, code: String(body['code']), detail: String(body['detail']) }
}
