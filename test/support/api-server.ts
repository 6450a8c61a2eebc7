import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Fields = Readonly<Record<string, unknown>>

/** A custom resource as the API server keeps it. */
export interface Stored {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly generation: number
    readonly resourceVersion: string
  }
  readonly spec: Fields
  readonly status?: Fields
}

/** Like a Kubernetes API server, as far as the crd policy source can tell. */
export interface ApiServer {
  readonly url: URL
  /** What the caller may do, as in `list helmpolicybundles` and `get configmaps/policy`. */
  readonly grants: Set<string>
  /** `METHOD path?query` of every request so far. */
  readonly asked: readonly string[]
  /** Applies a HelmPolicyBundle. */
  apply(name: string, spec: Fields): Stored
  remove(name: string): void
  object(name: string): Stored | undefined
  /** Makes a ConfigMap or Secret with these members beside its metadata. */
  put(kind: 'configmaps' | 'secrets', name: string, content: Fields): void
  /** While false, watches are told of nothing but bookmarks. */
  events(on: boolean): void
  bookmark(): void
  /** Forgets what happened: a watch from before gets 410, as an HTTP status or as an event. */
  compact(as: 'status' | 'event'): void
  /** Sends this to all that watch. */
  say(text: string): void
  /** Breaks off every watch. */
  drop(): void
  /** How many watches are open. */
  watches(): number
  /** Every request gets this status, but for undefined; `hang` answers nothing. */
  fail(how: number | 'hang' | undefined): void
  /** A page has at most so many objects. */
  pages(size: number): void
  /** So many of the next continue tokens have expired. */
  expire(times: number): void
  close(): Promise<void>
}

interface Event {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: Stored
  readonly version: number
}

interface Token {
  readonly objects: readonly Stored[]
  readonly version: number
}

const root = '/apis/policy.helm.ai/v1alpha1/namespaces/policies/helmpolicybundles'

export async function apiServer(): Promise<ApiServer> {
  const grants = new Set(['list helmpolicybundles', 'watch helmpolicybundles'])
  grants.add('patch helmpolicybundles/status')
  const objects = new Map<string, Stored>()
  const contents = new Map<string, Fields>()
  const asked: string[] = []
  const watching = new Set<ServerResponse>()
  let history: Event[] = []
  let version = 100
  let oldest = 0
  let gone: 'status' | 'event' = 'event'
  let speaks = true
  let failing: number | 'hang' | undefined
  let pageSize = Infinity
  let expired = 0

  const server = createServer((request, response) => {
    void answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: new URL(`http://127.0.0.1:${port}`),
    grants,
    asked,
    apply(name, spec) {
      const before = objects.get(name)
      const generation = (before?.metadata.generation ?? 0) + 1
      const uid = before?.metadata.uid ?? randomUUID()
      const metadata = { name, uid, generation, resourceVersion: '' }
      return record(before === undefined ? 'ADDED' : 'MODIFIED', { ...before, metadata, spec })
    },
    remove(name) {
      const object = objects.get(name)
      if (object !== undefined) record('DELETED', object)
    },
    object: (name) => objects.get(name),
    put: (kind, name, content) => void contents.set(`${kind}/${name}`, content),
    events: (on) => (speaks = on),
    bookmark() {
      const metadata = { resourceVersion: String(version) }
      say(line('BOOKMARK', { kind: 'HelmPolicyBundle', metadata }))
    },
    compact(as) {
      oldest = version
      history = []
      gone = as
    },
    say,
    drop() {
      for (const response of watching) response.destroy()
    },
    watches: () => watching.size,
    fail: (how) => (failing = how),
    pages: (size) => (pageSize = size),
    expire: (times) => (expired = times),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  function record(type: Event['type'], given: Stored): Stored {
    version++
    const metadata = { ...given.metadata, resourceVersion: String(version) }
    const object = { ...given, metadata }
    if (type === 'DELETED') objects.delete(metadata.name)
    else objects.set(metadata.name, object)
    history.push({ type, object, version })
    if (speaks) say(line(type, object))
    return object
  }

  function say(text: string): void {
    for (const response of watching) response.write(text)
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '' } = request
    asked.push(`${method} ${target}`)
    if (failing === 'hang') return
    const reply = failing === undefined ? await replyTo(request, response) : refused(failing)
    if (reply === undefined) return
    response.writeHead(reply.status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(reply.body))
  }

  /** Undefined for a watch that goes on. */
  async function replyTo(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Reply | undefined> {
    const { method, url: target = '' } = request
    const { pathname, searchParams: query } = new URL(target, 'http://localhost')
    const [, path] = /^\/api\/v1\/namespaces\/policies\/(\w+\/[^/]+)$/.exec(pathname) ?? []
    if (path !== undefined) return content(path)
    const patched = new RegExp(`^${root}/([^/]+)/status$`).exec(pathname)?.[1]
    if (method === 'PATCH' && patched !== undefined) return patch(request, patched)
    if (method !== 'GET' || pathname !== root) return refused(404)
    if (query.has('watch')) return watch(Number(query.get('resourceVersion')), response)
    return list(query.get('limit'), query.get('continue'))
  }

  function content(path: string): Reply {
    if (!grants.has(`get ${path}`)) return refused(403)
    const body = contents.get(path)
    return body === undefined ? refused(404) : { status: 200, body }
  }

  function list(limit: string | null, given: string | null): Reply {
    if (!grants.has('list helmpolicybundles')) return refused(403)
    if (given !== null && expired-- > 0) return refused(410)
    const token =
      given === null
        ? { objects: [...objects.values()], version }
        : (JSON.parse(Buffer.from(given, 'base64').toString()) as Token)
    const size = Math.min(Number(limit ?? Infinity), pageSize)
    const rest = token.objects.slice(size)
    const next = Buffer.from(JSON.stringify({ ...token, objects: rest })).toString('base64')
    const metadata = {
      resourceVersion: String(token.version),
      ...(rest.length > 0 && { continue: next }),
    }
    return { status: 200, body: { metadata, items: token.objects.slice(0, size) } }
  }

  function watch(from: number, response: ServerResponse): Reply | undefined {
    if (!grants.has('watch helmpolicybundles')) return refused(403)
    if (from < oldest && gone === 'status') return refused(410)
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (from < oldest) {
      response.end(line('ERROR', refused(410).body))
      return undefined
    }
    watching.add(response)
    response.once('close', () => watching.delete(response))
    const missed = speaks ? history.filter((event) => event.version > from) : []
    for (const { type, object } of missed) response.write(line(type, object))
    return undefined
  }

  async function patch(request: IncomingMessage, name: string): Promise<Reply> {
    const pieces: Uint8Array[] = []
    for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece)
    if (!grants.has('patch helmpolicybundles/status')) return refused(403)
    if (request.headers['content-type'] !== 'application/merge-patch+json') return refused(415)
    const object = objects.get(name)
    if (object === undefined) return refused(404)
    const { status } = JSON.parse(Buffer.concat(pieces).toString()) as { status: Fields }
    const merged = Object.entries({ ...object.status, ...status }).filter(([, v]) => v !== null)
    return {
      status: 200,
      body: record('MODIFIED', { ...object, status: Object.fromEntries(merged) }),
    }
  }
}

interface Reply {
  readonly status: number
  readonly body: unknown
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`
}

function refused(code: number): Reply {
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code }
  return { status: code, body }
}
