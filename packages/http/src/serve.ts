import { createAuthenticate } from './auth/authenticate.ts'
import { checkAssertions } from './auth/assertions.ts'
import { correlationIdOf } from './door/correlation.ts'
import { corsHeaders, isPreflight, preflight } from './door/cors.ts'
import { checkHelmHeaders } from './door/helm-headers.ts'
import { checkHost, hostOf } from './door/host.ts'
import { checkOrigin } from './door/origin.ts'
import { createInFlight } from './limits/in-flight.ts'
import { createRate } from './limits/rate.ts'
import type { AppOptions } from './options.ts'
import { problem, refusalOf } from './problem.ts'
import { type Answer, type Exchange, type Resource, routeOf } from './route.ts'

/** Answers one request to a resource. Never rejects. */
export type Serve = (asked: Asked, resource: Resource) => Promise<Response>

export type Asked = Omit<Exchange, 'correlationId'>

export type ServeOptions = Pick<
  AppOptions,
  'credentials' | 'clock' | 'random' | 'limits' | 'bind' | 'report'
>

const everyAnswer = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
})

/**
 * What every request goes through, in this order: host, origin, our own headers, path and method,
 * credential and role, assertions, rate, in-flight cap, then the route. One place, so that no route
 * can leave a step out.
 */
export function createServe(options: ServeOptions): Serve {
  const { clock, random, bind, limits, report } = options
  const authenticate = createAuthenticate(options.credentials, clock)
  const rate = createRate(limits.ratePerSecond, clock)
  const inFlight = createInFlight(limits.maxInFlight)

  return async (asked, resource) => {
    const { request } = asked
    const { method, url, headers } = request
    const begun = clock.monotonic()
    const correlationId = correlationIdOf(headers, random)
    const answer = await attempt({ ...asked, correlationId }, resource)
    const refusal = 'refused' in answer ? answer : undefined
    const reply =
      'refused' in answer ? problem(answer, new URL(url).pathname, correlationId) : answer
    report({
      status: reply.status,
      method,
      route: resource.path,
      code: reply.code,
      verdict: reply.verdict,
      ms: clock.monotonic() - begun,
      correlationId,
      cause: refusal?.cause,
    })
    return new Response(reply.body, {
      status: reply.status,
      // A plain object: hosts send one faster than they read Headers.
      headers: {
        ...everyAnswer,
        ...corsHeaders(headers, bind.corsOrigins),
        'x-helm-correlation-id': correlationId,
        ...reply.headers,
      },
    })
  }

  async function attempt(exchange: Exchange, resource: Resource): Promise<Answer> {
    try {
      return await answerTo(exchange, resource)
    } catch (error) {
      return refusalOf(error)
    }
  }

  function answerTo(exchange: Exchange, resource: Resource): Answer | Promise<Answer> {
    const { request } = exchange
    const { headers } = request
    const host = hostOf(request)
    const refused =
      checkHost(host, bind.loopback) ??
      checkOrigin(headers, host, bind.corsOrigins) ??
      checkHelmHeaders(headers)
    if (refused !== undefined) return refused
    if (isPreflight(request)) return preflight(resource)
    const route = routeOf(resource, request.method)
    if (route === undefined) return resource.otherwise
    if (route.access === 'anyone') return route.handle(exchange)
    const credential = authenticate(headers, route.access)
    if ('refused' in credential) return credential
    return (
      checkAssertions(headers, credential) ??
      rate(credential.name) ??
      inFlight(() => route.handle(exchange, credential))
    )
  }
}
