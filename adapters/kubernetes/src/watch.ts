import { once } from 'node:events'
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import {
  type Cancel,
  type Clock,
  decodeUtf8,
  isKernelError,
  type Json,
  KernelError,
} from '@helm-ai-kernel/core'
import { parse, urlOf } from './api.ts'
import type { Cluster } from './cluster.ts'
import { linesOf } from './lines.ts'
import { members, policyObject, type PolicyObject } from './object.ts'
import { refusedBy } from './permission.ts'
import { onSilence } from './silence.ts'

export type Change =
  | {
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
      readonly object: PolicyObject
      readonly resourceVersion: string
    }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }
  /** Nothing more can be told from here: list again. */
  | { readonly type: 'GAP' }

/** The API server is asked to end a watch after so long. */
const timeoutSeconds = '240'
/** It sends a bookmark about every minute; so long without a line, and the connection is dead. */
const patience = 150_000
/** Of one object: etcd takes at most 1.5 MiB, in JSON at most six times that. */
const maxLineBytes = 16 * 1024 * 1024
const maxHeaderBytes = 16_384

const silent: KernelError = new KernelError(
  'SOURCE_TIMEOUT',
  `the watch of HelmPolicyBundles was silent for ${patience / 1000} s`,
)

/**
 * What becomes of the HelmPolicyBundles after `resourceVersion`, until the API server ends the stream, or
 * after a GAP. Throws `SOURCE_UNREACHABLE` when it breaks, `SOURCE_TOO_LARGE` for a line that is.
 */
export async function* watch(
  cluster: Cluster,
  resourceVersion: string,
  clock: Clock,
  cancel: Cancel,
): AsyncGenerator<Change, void, void> {
  const stop = new AbortController()
  const abort = (): void => stop.abort()
  cancel.addEventListener('abort', abort)
  if (cancel.aborted) abort()
  const silence = onSilence(clock, patience, () => stop.abort(silent))
  try {
    const outgoing = await open(cluster, resourceVersion, stop.signal)
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    const { statusCode: status = 0 } = incoming
    if (status === 410) {
      yield { type: 'GAP' }
      return
    }
    if (status !== 200) {
      const act = { verb: 'watch', group: 'policy.helm.ai', resource: 'helmpolicybundles' } as const
      throw refusedBy(status, act, cluster.namespace)
    }
    for await (const line of linesOf(incoming as AsyncIterable<Uint8Array>, maxLineBytes)) {
      silence.heard()
      const change = changeIn(line)
      yield change
      if (change.type === 'GAP') return
    }
  } catch (cause) {
    if (stop.signal.reason === silent) throw silent
    if (isKernelError(cause)) throw cause
    const why = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    throw new KernelError('SOURCE_UNREACHABLE', `the watch of HelmPolicyBundles broke${why}`, {
      cause,
    })
  } finally {
    silence.end()
    cancel.removeEventListener('abort', abort)
    stop.abort()
  }
}

async function open(
  cluster: Cluster,
  resourceVersion: string,
  signal: AbortSignal,
): Promise<ClientRequest> {
  const { token, ca } = await cluster.credentials()
  const url = urlOf(cluster, 'helmpolicybundles', {
    watch: 'true',
    resourceVersion,
    allowWatchBookmarks: 'true',
    timeoutSeconds,
  })
  const outgoing = (url.protocol === 'https:' ? https : http).request(url, {
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    agent: false,
    signal,
    maxHeaderSize: maxHeaderBytes,
    // INVARIANT: no environment variable turns the check of certificates off.
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
  })
  // What goes wrong first is thrown; what is destroyed may fail once more.
  outgoing.on('error', () => undefined)
  return outgoing.end()
}

function changeIn(line: Uint8Array): Change {
  const { type, object: json } = members(read(line))
  const object = policyObject(json)
  const { resourceVersion } = members(members(json)['metadata'])
  if (typeof resourceVersion !== 'string') return { type: 'GAP' }
  if (type === 'BOOKMARK') return { type, resourceVersion }
  const isChange = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED'
  return isChange && object !== undefined ? { type, object, resourceVersion } : { type: 'GAP' }
}

function read(line: Uint8Array): Json {
  try {
    return parse(decodeUtf8(line))
  } catch {
    return null
  }
}
