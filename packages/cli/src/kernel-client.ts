import { Buffer } from 'node:buffer'
import {
  decodeJson,
  isKernelError,
  isObject,
  type Json,
  KernelError,
  type ReasonCode,
  reasonCodes,
} from '@helm-ai-kernel/core'
import { type Flag, type Given, valueOf } from './command.ts'
import { credentialOf } from './credential.ts'
import type { Io } from './io.ts'
import { usage } from './parse.ts'

/** The flags of every command that asks a running kernel. */
export const clientFlags: Readonly<Record<'url' | 'api-key-file', Flag>> = {
  url: { value: 'URL', summary: 'the kernel; HELM_URL or http://127.0.0.1:8080 when absent' },
  'api-key-file': { value: 'FILE', summary: 'file with the API key; HELM_API_KEY when absent' },
}

export interface Response {
  readonly status: number
  readonly body: Json
}

/** Members that are undefined are left out. */
export type Query = Readonly<Record<string, string | undefined>>

/** Requests to a kernel, with the caller's credential. */
export interface KernelClient {
  readonly url: string
  /** GET: any status. Throws `KERNEL_UNREACHABLE` when there is no answer in JSON. */
  ask(path: string): Promise<Response>
  /** GET: the body of a 200. Throws with the code of the problem document otherwise. */
  get(path: string, query?: Query): Promise<Json>
  /** GET: the bytes of a 200, at most `maxBytes`; undefined for a 404. Throws as `get` otherwise. */
  download(path: string, maxBytes: number): Promise<Uint8Array | undefined>
  /** POST of JSON: the bytes of a 200, at most `maxBytes`. Throws as `get` otherwise. */
  order(path: string, json: Json, maxBytes: number): Promise<Uint8Array>
  /** GET: a stream of events as it comes, with no time limit but `cancel`. Throws as `get` otherwise. */
  stream(path: string, streaming: Streaming): Promise<AsyncIterable<Uint8Array>>
  /** POST without a body: any status, as `ask`. */
  post(path: string, query?: Query, cancel?: AbortSignal): Promise<Response>
  /** What an answer that is a problem document says. */
  problem(response: Response): KernelError
}

/** A kernel that is asked to do something may take 15 s before it answers. */
const timeouts = { GET: 10_000, POST: 20_000 } as const
/** What is ordered is made first, and may be long. */
const orderTimeout = 120_000
const maxBytes = 64 * 1024 * 1024

/** `variables` are where the key is looked for when no file is given: the first that is set counts. */
export async function kernelClient(
  name: string,
  given: Given,
  io: Io,
  variables: readonly string[] = ['HELM_API_KEY'],
): Promise<KernelClient> {
  const url = valueOf(given, 'url') ?? (io.env['HELM_URL'] || 'http://127.0.0.1:8080')
  const { protocol = '', username, password } = parseUrl(url) ?? {}
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '') {
    throw usage(name, 'the URL of a kernel is http:// or https:// and a host, without a user')
  }
  const headers = await credentialOf(given, io, variables)
  const problem = (response: Response): KernelError => problemOf(url, response)
  return { url, ask, get, download, order, stream, post, problem }

  function ask(path: string): Promise<Response> {
    return send('GET', path)
  }

  async function get(path: string, query?: Query): Promise<Json> {
    const response = await send('GET', path, query)
    if (response.status === 200) return response.body
    throw problem(response)
  }

  function post(path: string, query?: Query, cancel?: AbortSignal): Promise<Response> {
    return send('POST', path, query, cancel)
  }

  async function download(path: string, limit: number): Promise<Uint8Array | undefined> {
    const { status, bytes } = await exchange('GET', path, limit)
    if (status === 200) return bytes
    if (status === 404) return undefined
    throw problem({ status, body: decode(bytes) })
  }

  async function order(path: string, json: Json, limit: number): Promise<Uint8Array> {
    const { status, bytes } = await exchange('POST', path, limit, { json, timeout: orderTimeout })
    if (status === 200) return bytes
    throw problem({ status, body: decode(bytes) })
  }

  async function stream(
    path: string,
    { query, headers: more, cancel }: Streaming,
  ): Promise<AsyncIterable<Uint8Array>> {
    const init = { headers: { ...headers, ...more }, redirect: 'error', signal: cancel } as const
    const response = await fetch(new URL(withQuery(path, query), url), init).catch(unreachable)
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    if (response.status === 200 && isStream && response.body !== null) return response.body
    throw problem({ status: response.status, body: decode(await readAtMost(response, maxBytes)) })
  }

  async function send(
    method: keyof typeof timeouts,
    path: string,
    query: Query = {},
    cancel?: AbortSignal,
  ): Promise<Response> {
    const target = withQuery(path, query)
    const { status, bytes } = await exchange(method, target, maxBytes, cancel && { cancel })
    return { status, body: decode(bytes) }
  }

  async function exchange(
    method: keyof typeof timeouts,
    path: string,
    limit: number,
    { cancel, json, timeout = timeouts[method] }: Sending = {},
  ): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
    const late = AbortSignal.timeout(timeout)
    const signal = cancel === undefined ? late : AbortSignal.any([late, cancel])
    try {
      // A redirect would carry the key to whomever it names.
      const init = { method, headers, redirect: 'error', signal } as const
      const sent = json === undefined ? init : { ...init, ...jsonBody(headers, json) }
      const response = await fetch(new URL(path, url), sent)
      // What refuses is a problem document, which may be longer than what was asked for.
      const bytes = await readAtMost(response, response.ok ? limit : maxBytes)
      return { status: response.status, bytes }
    } catch (cause) {
      return unreachable(cause)
    }
  }

  function unreachable(cause: unknown): never {
    if (isKernelError(cause)) throw cause
    const why = cause instanceof Error ? (causeOf(cause) ?? cause.message) : String(cause)
    throw new KernelError(
      'KERNEL_UNREACHABLE',
      `no kernel answers at ${url}: ${why}; start one, or name another with --url or HELM_URL`,
      { cause },
    )
  }

  function decode(bytes: Uint8Array): Json {
    return decodeJson(bytes, { maxBytes, code: 'KERNEL_UNREACHABLE', what: `the answer of ${url}` })
  }

  async function readAtMost({ body }: globalThis.Response, limit: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let length = 0
    const stream: AsyncIterable<Uint8Array> | readonly Uint8Array[] = body ?? []
    for await (const piece of stream) {
      length += piece.length
      if (length > limit) {
        throw new KernelError('KERNEL_UNREACHABLE', `${url} answers more than ${limit} bytes`)
      }
      pieces.push(piece)
    }
    return new Uint8Array(Buffer.concat(pieces))
  }
}

export interface Streaming {
  readonly query: Query
  readonly headers: Readonly<Record<string, string>>
  readonly cancel: AbortSignal
}

/** What a request may have beside its path. */
interface Sending {
  readonly cancel?: AbortSignal
  readonly json?: Json
  /** In ms. */
  readonly timeout?: number
}

function jsonBody(headers: Readonly<Record<string, string>>, json: Json) {
  const type = { 'content-type': 'application/json' }
  return { headers: { ...headers, ...type }, body: JSON.stringify(json) }
}

function withQuery(path: string, query: Query): string {
  const members = Object.entries(query).filter(([, value]) => value !== undefined)
  const search = new URLSearchParams(members as [string, string][]).toString()
  return search === '' ? path : `${path}?${search}`
}

function problemOf(url: string, { status, body }: Response): KernelError {
  const { code, detail } = isObject(body) ? body : {}
  if (!isReasonCode(code)) {
    return new KernelError('KERNEL_UNREACHABLE', `${url} answered ${status}; it may be no kernel`)
  }
  return new KernelError(code, typeof detail === 'string' ? detail : `${url} answered ${status}`)
}

function isReasonCode(code: unknown): code is ReasonCode {
  return Object.values(reasonCodes).some((codes) => (codes as readonly unknown[]).includes(code))
}

/** What `fetch` hides behind "fetch failed". */
function causeOf({ cause }: Error): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
