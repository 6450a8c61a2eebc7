import type { Credential } from './auth/credentials.ts'
import type { Role } from './auth/role.ts'
import type { Refusal } from './problem.ts'
import type { Reply } from './reply.ts'

/** One request on its way through. */
export interface Exchange {
  readonly request: Request
  /** Of the path's pattern, by name. */
  readonly params: Readonly<Record<string, string>>
  /** As the answer has it, and what is logged of it. */
  readonly correlationId: string
}

export type Answer = Reply | Refusal

/** What a method of a path does: for anyone, or for credentials with a role. */
export type Route = OpenRoute | GuardedRoute

interface OpenRoute {
  readonly access: 'anyone'
  handle(exchange: Exchange): Answer | Promise<Answer>
}

interface GuardedRoute {
  readonly access: Role
  handle(exchange: Exchange, credential: Credential): Answer | Promise<Answer>
}

/** A path with its methods, and what any other method gets. */
export interface Resource {
  readonly path: string
  readonly routes: ReadonlyMap<string, Route>
  readonly otherwise: Refusal
}

type Method = 'GET' | 'POST' | 'DELETE'

export function resource(path: string, routes: Readonly<Partial<Record<Method, Route>>>): Resource {
  const methods = Object.keys(routes)
  const allow = (methods.includes('GET') ? ['HEAD', ...methods] : methods).sort().join(', ')
  const detail = `this path takes ${allow}`
  return {
    path,
    // A map, since a method is whatever the client wrote: `constructor` too.
    routes: new Map(Object.entries(routes)),
    otherwise: { refused: 'METHOD_NOT_ALLOWED', detail, headers: { allow } },
  }
}

/** The route of a method; HEAD is GET without its body, which the router leaves out. */
export function routeOf({ routes }: Resource, method: string): Route | undefined {
  return routes.get(method === 'HEAD' ? 'GET' : method)
}

/** A path that nobody serves. */
export const unknownPath: Resource = {
  path: '*',
  routes: new Map(),
  otherwise: { refused: 'NOT_FOUND', detail: 'there is nothing at this path' },
}

/** The model proxy answers for all of /v1, also for what it does not do (design 5.3). */
export const unsupportedPath: Resource = {
  path: '/v1/*',
  routes: new Map(),
  otherwise: {
    refused: 'PROXY_UNSUPPORTED',
    detail: 'the model proxy of this kernel does not offer this path',
  },
}
