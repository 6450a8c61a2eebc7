import { Hono } from 'hono'
import type { Credentials } from './auth/credentials.ts'
import type { AppOptions, HealthOptions, InternalOptions, MetricsOptions } from './options.ts'
import { type Resource, unknownPath, unsupportedPath } from './route.ts'
import { logProofResource } from './routes/log-proof.ts'
import { logResources } from './routes/log.ts'
import { evaluateResource } from './routes/evaluate.ts'
import { evidenceResources } from './routes/evidence.ts'
import { keysResource } from './routes/keys.ts'
import { metricsResource } from './routes/metrics.ts'
import { policyStatusResource } from './routes/policy-status.ts'
import { probeResources } from './routes/probes.ts'
import { receiptResources } from './routes/receipts.ts'
import { versionResource } from './routes/version.ts'
import { wakeResource } from './routes/wake.ts'
import { createServe, type ServeOptions } from './serve.ts'

/** A web-standard request handler: what Node, Deno, Bun and edge hosts take. */
export interface App {
  /** Never rejects. What a host passes beside the request is not looked at. */
  fetch(request: Request, ...host: readonly unknown[]): Response | Promise<Response>
}

/** The API (design 5.2): everything but the health and metrics ports, and /internal where it may be. */
export function createApp(options: AppOptions): App {
  return route(options, [
    ...probeResources(options),
    versionResource(options),
    keysResource(options),
    evaluateResource(options),
    ...receiptResources(options),
    ...evidenceResources(options),
    policyStatusResource(options),
    ...logResources(options),
    logProofResource(options),
    ...(options.internalApart === true ? [] : [wakeResource(options)]),
    unsupportedPath,
  ])
}

/** The internal port, for a kernel that keeps /internal off its API port. */
export function createInternalApp(options: InternalOptions): App {
  return route(options, [wakeResource(options)])
}

const open = { maxInFlight: Infinity, maxBodyBytes: 0, ratePerSecond: undefined } as const

/** The health port: only what says whether the kernel works. */
export function createHealthApp(options: HealthOptions): App {
  const bind = { loopback: false, corsOrigins: [] }
  return route({ ...options, limits: open, bind }, probeResources(options))
}

const noCredentials: Credentials = Object.freeze({
  configured: false,
  internalConfigured: false,
  find: () => undefined,
})

/** The metrics port: only what Prometheus scrapes. */
export function createMetricsApp(options: MetricsOptions): App {
  const resources = [metricsResource(options)]
  return route({ ...options, limits: open, credentials: noCredentials }, resources)
}

/** The router picks the resource; `serve` does the rest, for unknown paths too. */
function route(options: ServeOptions, resources: readonly Resource[]): App {
  const serve = createServe(options)
  const router = new Hono()
  for (const resource of resources) {
    router.all(resource.path, (c) => serve({ request: c.req.raw, params: c.req.param() }, resource))
  }
  router.notFound((c) => serve({ request: c.req.raw, params: {} }, unknownPath))
  return { fetch: (request) => router.fetch(request) }
}
