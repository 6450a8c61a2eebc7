import { Hono } from 'hono'
import type { AppOptions, HealthOptions } from './options.ts'
import { type Resource, unknownPath, unsupportedPath } from './route.ts'
import { checkpointResource } from './routes/log.ts'
import { evaluateResource } from './routes/evaluate.ts'
import { keysResource } from './routes/keys.ts'
import { probeResources } from './routes/probes.ts'
import { receiptResources } from './routes/receipts.ts'
import { versionResource } from './routes/version.ts'
import { createServe, type ServeOptions } from './serve.ts'

/** A web-standard request handler: what Node, Deno, Bun and edge hosts take. */
export interface App {
  /** Never rejects. What a host passes beside the request is not looked at. */
  fetch(request: Request, ...host: readonly unknown[]): Response | Promise<Response>
}

/** The API (design 5.2): everything but the health, metrics and internal ports. */
export function createApp(options: AppOptions): App {
  return route(options, [
    ...probeResources(options),
    versionResource(options),
    keysResource(options),
    evaluateResource(options),
    ...receiptResources(options),
    checkpointResource(options),
    unsupportedPath,
  ])
}

/** The health port: only what says whether the kernel works. */
export function createHealthApp(options: HealthOptions): App {
  return route(
    {
      ...options,
      limits: { maxInFlight: Infinity, maxBodyBytes: 0, ratePerSecond: undefined },
      bind: { loopback: false, corsOrigins: [] },
    },
    probeResources(options),
  )
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
