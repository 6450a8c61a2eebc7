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

/** GET requests to a kernel, with the caller's credential. */
export interface KernelClient {
  readonly url: string
  /** Any status. Throws `KERNEL_UNREACHABLE` when there is no answer in JSON. */
  ask(path: string): Promise<Response>
  /** The body of a 200. Throws with the code of the problem document otherwise. */
  get(path: string, query?: Readonly<Record<string, string | undefined>>): Promise<Json>
}

const timeout = 10_000
const maxBytes = 64 * 1024 * 1024

export async function kernelClient(name: string, given: Given, io: Io): Promise<KernelClient> {
  const url = valueOf(given, 'url') ?? (io.env['HELM_URL'] || 'http://127.0.0.1:8080')
  if (!/^https?:$/.test(parseUrl(url)?.protocol ?? '')) {
    throw usage(name, 'the URL of a kernel is http:// or https:// and a host')
  }
  const headers = await credentialOf(given, io)
  return { url, ask, get }

  async function ask(path: string): Promise<Response> {
    try {
      // A redirect would carry the key to whomever it names.
      const signal = AbortSignal.timeout(timeout)
      const response = await fetch(new URL(path, url), { headers, redirect: 'error', signal })
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

  async function get(
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Json> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined)
    const search = new URLSearchParams(given as [string, string][]).toString()
    const { status, body } = await ask(search === '' ? path : `${path}?${search}`)
    if (status === 200) return body
    throw problemOf(url, status, body)
  }
}

async function credentialOf(given: Given, io: Io): Promise<Record<string, string>> {
  const file = valueOf(given, 'api-key-file')
  const key =
    file === undefined
      ? io.env['HELM_API_KEY']
      : Buffer.from(await readFile(io, file))
          .toString('latin1')
          .trim()
  if (!key) return {}
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new KernelError('AUTH_MALFORMED', 'the API key has characters that no key has')
  }
  return { authorization: `Bearer ${key}` }
}

function problemOf(url: string, status: number, body: Json): KernelError {
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
