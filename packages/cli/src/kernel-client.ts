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
import { readFile } from './files.ts'
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
  /** POST without a body: any status, as `ask`. */
  post(path: string, query?: Query, cancel?: AbortSignal): Promise<Response>
  /** What an answer that is a problem document says. */
  problem(response: Response): KernelError
}

/** A kernel that is asked to do something may take 15 s before it answers. */
const timeouts = { GET: 10_000, POST: 20_000 } as const
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
  return { url, ask, get, post, problem }

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

  async function send(
    method: keyof typeof timeouts,
    path: string,
    query: Query = {},
    cancel?: AbortSignal,
  ): Promise<Response> {
    const members = Object.entries(query).filter(([, value]) => value !== undefined)
    const search = new URLSearchParams(members as [string, string][]).toString()
    const late = AbortSignal.timeout(timeouts[method])
    const signal = cancel === undefined ? late : AbortSignal.any([late, cancel])
    try {
      // A redirect would carry the key to whomever it names.
      const init = { method, headers, redirect: 'error', signal } as const
      const response = await fetch(new URL(search === '' ? path : `${path}?${search}`, url), init)
      const bytes = new Uint8Array(await response.arrayBuffer())
      const limits = { maxBytes, code: 'KERNEL_UNREACHABLE', what: `the answer of ${url}` } as const
      return { status: response.status, body: decodeJson(bytes, limits) }
    } catch (cause) {
      if (isKernelError(cause)) throw cause
      const why = cause instanceof Error ? (causeOf(cause) ?? cause.message) : String(cause)
      throw new KernelError(
        'KERNEL_UNREACHABLE',
        `no kernel answers at ${url}: ${why}; start one, or name another with --url or HELM_URL`,
        { cause },
      )
    }
  }
}

async function credentialOf(
  given: Given,
  io: Io,
  variables: readonly string[],
): Promise<Record<string, string>> {
  const file = valueOf(given, 'api-key-file')
  const key =
    file === undefined
      ? variables.map((variable) => io.env[variable]).find((value) => value)
      : Buffer.from(await readFile(io, file))
          .toString('latin1')
          .trim()
  if (!key) return {}
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new KernelError('AUTH_MALFORMED', 'the API key has characters that no key has')
  }
  return { authorization: `Bearer ${key}` }
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
