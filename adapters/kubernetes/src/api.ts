import { type Cancel, decodeUtf8, type Json, KernelError } from '@helm-ai-kernel/core'
import { request } from '@helm-ai-kernel/host'
import type { Cluster } from './cluster.ts'

/** The calls of one namespace. */
export interface Api {
  readonly namespace: string
  /** `path` is of names alone, as in `configmaps/policy`. */
  get(path: string, query: Readonly<Record<string, string>>, cancel: Cancel): Promise<Answer>
  /** A JSON merge patch. */
  patch(path: string, body: Json, cancel: Cancel): Promise<Answer>
}

export interface Answer {
  readonly status: number
  /** Null when the body is no JSON. */
  readonly json: Json
}

/** Of a page or an object: etcd takes at most 1.5 MiB, in JSON at most six times that. */
const maxBytes = 16 * 1024 * 1024

export function apiOf(cluster: Cluster): Api {
  return Object.freeze({
    namespace: cluster.namespace,
    get: (path, query, cancel) => call({ url: urlOf(cluster, path, query), cancel }),
    patch: (path, body, cancel) => call({ url: urlOf(cluster, path, {}), body, cancel }),
  } satisfies Api)

  async function call({ url, body, cancel }: Call): Promise<Answer> {
    const { token, ca } = await cluster.credentials()
    const { status, bytes } = await request(url, {
      method: body === undefined ? 'GET' : 'PATCH',
      headers: {
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/merge-patch+json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(ca !== undefined && { ca }),
      maxBytes,
      cancel,
    })
    return { status, json: jsonOf(bytes, status) }
  }
}

interface Call {
  readonly url: URL
  readonly body?: Json
  readonly cancel: Cancel
}

/** The address of `path`, in the namespace of the cluster. */
export function urlOf(
  cluster: Cluster,
  path: string,
  query: Readonly<Record<string, string>>,
): URL {
  const root = path.startsWith('helmpolicybundles') ? '/apis/policy.helm.ai/v1alpha1' : '/api/v1'
  const names = ['namespaces', cluster.namespace, ...path.split('/')].map(encodeURIComponent)
  const url = new URL(cluster.url)
  url.pathname = [url.pathname.replace(/\/$/, '') + root, ...names].join('/')
  url.search = new URLSearchParams(query).toString()
  return url
}

/**
 * What the API server wrote, which has read it strictly itself. One number or text that this kernel would
 * not take must spoil its own object alone, never the list that holds it.
 */
export function parse(text: string): Json {
  return JSON.parse(text) as Json
}

function jsonOf(bytes: Uint8Array, status: number): Json {
  try {
    return parse(decodeUtf8(bytes))
  } catch (cause) {
    if (status !== 200) return null
    throw new KernelError('SOURCE_UNREACHABLE', 'the API server answered what is not JSON', {
      cause,
    })
  }
}
