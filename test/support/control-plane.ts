import http, {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import {
  digest,
  encodeHex,
  type Json,
  nobleCrypto,
  type Scope,
  scopeKey,
} from '@helm-ai-kernel/core'
import { parseSignatures } from '@helm-ai-kernel/core/bundle'
import type { Certificate } from './certificate.ts'
import type { SignedBundle } from './kernel.ts'
import { honest, type Manner, type PlaneAnswer } from './misbehaviour.ts'

export type Route = 'head' | 'bundle' | 'scopes'

/** A request that came. */
export interface Received {
  /** Empty when it is none of the wire's. */
  readonly route: Route | ''
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  /** Resolves when its socket is closed, to the bytes that were sent over it. */
  readonly closed: Promise<number>
}

export interface TestControlPlane {
  /** Base of the routes. */
  readonly url: string
  readonly received: readonly Received[]
  /** Publishes a bundle in its scope; `head` replaces members of what is said of it. */
  publish(bundle: SignedBundle, head?: Readonly<Record<string, Json>>): void
  /** What the listing answers; undefined for none being offered, as at the start. */
  list(scopes: readonly Scope[] | undefined): void
  /** How a route answers from now on; undefined for honestly. */
  on(route: Route, manner: Manner | undefined): void
  /** The bearer token that is asked for; undefined for none, as at the start. */
  requireToken(token: string | undefined): void
  /** Gives heads an ETag, and answers 304 to who has it. */
  tagHeads(): void
  /** How often a scope's head, or its bundle, was asked for. */
  fetches(scope: Scope, route?: Route): number
  /** Connections that are open. */
  sockets(): number
  close(): Promise<void>
}

interface Published {
  readonly head: string
  readonly bytes: Uint8Array
  readonly epoch: string
}

/** A control plane on a free port of this machine, which can be told to misbehave. */
export async function startControlPlane(
  options: { readonly tls?: Certificate; readonly base?: string } = {},
): Promise<TestControlPlane> {
  const { tls, base = '' } = options
  const published = new Map<string, Published>()
  const manners = new Map<Route, Manner>()
  const received: Received[] = []
  const sockets = new Map<Socket, Promise<number>>()
  let listing: readonly Scope[] | undefined
  let token: string | undefined
  let isTagging = false

  const server = tls === undefined ? http.createServer(take) : https.createServer({ ...tls }, take)
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    sockets.set(
      socket,
      new Promise((resolve) => {
        socket.once('close', () => {
          sockets.delete(socket)
          resolve(socket.bytesWritten)
        })
      }),
    )
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${base}`,
    received,
    publish({ bytes, signature }, head = {}) {
      const { scope, policy_epoch } = JSON.parse(new TextDecoder().decode(bytes)) as {
        scope: { tenant_id: string; workspace_id: string }
        policy_epoch: number
      }
      const [first] = parseSignatures(signature)
      published.set(`${scope.tenant_id}/${scope.workspace_id}`, {
        bytes,
        epoch: String(policy_epoch),
        head: JSON.stringify({
          scope,
          policy_epoch,
          policy_hash: digest(nobleCrypto, bytes),
          bundle_ref: `bundle ${policy_epoch}`,
          signature: encodeHex(first?.signature ?? new Uint8Array()),
          ...head,
        }),
      })
    },
    list: (scopes) => void (listing = scopes),
    on(route, manner) {
      if (manner === undefined) manners.delete(route)
      else manners.set(route, manner)
    },
    requireToken: (expected) => void (token = expected),
    tagHeads: () => void (isTagging = true),
    fetches: (scope, route = 'head') =>
      received.filter((one) => one.route === route && scopeOf(one.query) === scopeKey(scope))
        .length,
    sockets: () => sockets.size,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }

  function take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const prefix = `${base}/api/v1/policy/`
    const name = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : ''
    const route = name === 'head' || name === 'bundle' || name === 'scopes' ? name : ''
    const query = Object.fromEntries(url.searchParams)
    const { headers } = request
    const closed = sockets.get(request.socket) ?? Promise.resolve(0)
    received.push({ route, path: url.pathname, query, headers, closed })
    const isAllowed = token === undefined || headers.authorization === `Bearer ${token}`
    const answer = isAllowed ? answerTo(route, query, headers) : { status: 401, body: '' }
    const manner = (route !== '' && isAllowed ? manners.get(route) : undefined) ?? honest
    manner({ request, response, answer })
  }

  function answerTo(
    route: Route | '',
    query: Readonly<Record<string, string>>,
    headers: IncomingHttpHeaders,
  ): PlaneAnswer {
    const missing = { status: 404, body: '{"error":"not found"}' }
    if (route === 'scopes') {
      return listing === undefined ? missing : { status: 200, body: listingOf(listing) }
    }
    const found = published.get(scopeOf(query))
    if (route === '' || found === undefined) return missing
    if (route === 'bundle') {
      return query['policy_epoch'] === found.epoch ? { status: 200, body: found.bytes } : missing
    }
    if (!isTagging) return { status: 200, body: found.head }
    const etag = `"${digest(nobleCrypto, new TextEncoder().encode(found.head))}"`
    return headers['if-none-match'] === etag
      ? { status: 304, headers: { etag }, body: '' }
      : { status: 200, headers: { etag }, body: found.head }
  }
}

function scopeOf(query: Readonly<Record<string, string>>): string {
  return `${query['tenant_id']}/${query['workspace_id']}`
}

function listingOf(scopes: readonly Scope[]): string {
  const list = scopes.map(({ tenantId, workspaceId }) => ({
    tenant_id: tenantId,
    workspace_id: workspaceId,
  }))
  return JSON.stringify({ scopes: list })
}
