import { once } from 'node:events'
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { type Cancel, KernelError } from '@helm-ai-kernel/core'
import { type Answer, readAnswer } from './answer.ts'
import { faultOf, isReset } from './request-fault.ts'

export interface RequestOptions {
  /** GET when absent. */
  readonly method?: 'GET' | 'PATCH' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** PEM certificates, instead of the CAs of the runtime. */
  readonly ca?: string
  /** Of the answer's body. */
  readonly maxBytes: number
  readonly cancel: Cancel
  /** How long no byte may come, ms; 3000 when absent. */
  readonly idle?: number
  /** Told of each piece of the body before it is kept; what it throws ends the request. */
  readonly taken?: (bytes: number) => void
}

const maxHeaderBytes = 16_384

/** Sockets are kept for the next request; there are at most so many to one place. */
const pool = { keepAlive: true, maxSockets: 64, maxFreeSockets: 8, timeout: 30_000 }
const plain = new http.Agent(pool)
const secure = new https.Agent(pool)

/**
 * Asks somebody over HTTP who need not be honest: time, size and headers are bounded, no redirect is
 * followed and no encoding undone. Every other status is an answer. Throws `SOURCE_UNREACHABLE`,
 * `SOURCE_TIMEOUT` (also when `cancel` aborts) or `SOURCE_TOO_LARGE`; a message holds no header, no
 * query and nothing of the answer.
 */
export function request(url: URL, options: RequestOptions): Promise<Answer> {
  return exchange(url, options, url.protocol === 'https:' ? secure : plain)
}

async function exchange(
  url: URL,
  options: RequestOptions,
  agent: http.Agent | false,
): Promise<Answer> {
  const { cancel, idle = 3000, body } = options
  const place = url.origin + url.pathname
  const stop = new AbortController()
  const { signal } = stop
  const late = (what: string) => (): void =>
    stop.abort(new KernelError('SOURCE_TIMEOUT', `${place} ${what}`))
  const cancelled = late('did not answer in the time that it has')
  const silence = watch(idle, late(`sent nothing for ${idle} ms`))
  if (cancel.aborted) cancelled()
  cancel.addEventListener('abort', cancelled)

  const outgoing = open(url, options, agent, signal)
  let answered = false
  try {
    // Not from the beginning: while it waits for a socket of the pool nobody has been asked.
    outgoing.once('socket', silence.heard)
    outgoing.end(body)
    const [incoming] = (await once(outgoing, 'response', { signal })) as [IncomingMessage]
    answered = true
    return await readAnswer(incoming, { ...options, place, heard: silence.heard })
  } catch (cause) {
    outgoing.destroy()
    if (signal.reason instanceof KernelError) throw signal.reason
    // A kept socket may be closed in the moment in which it is taken again.
    const isStale = outgoing.reusedSocket && !answered && isReset(cause)
    if (isStale && outgoing.method === 'GET') return await exchange(url, options, false)
    throw faultOf(cause, url)
  } finally {
    silence.end()
    cancel.removeEventListener('abort', cancelled)
  }
}

function open(
  url: URL,
  { method = 'GET', headers, ca }: RequestOptions,
  agent: http.Agent | false,
  signal: AbortSignal,
): ClientRequest {
  const outgoing = (url.protocol === 'https:' ? https : http).request(url, {
    method,
    headers: { ...headers, 'accept-encoding': 'identity' },
    agent,
    signal,
    maxHeaderSize: maxHeaderBytes,
    // INVARIANT: no environment variable turns the check of certificates off.
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
  })
  // What goes wrong first is thrown; what is destroyed may fail once more.
  outgoing.on('error', () => undefined)
  return outgoing
}

interface Watch {
  readonly heard: () => void
  readonly end: () => void
}

/** Calls `silent` when nothing is heard for `ms`, from the first thing heard on. */
function watch(ms: number, silent: () => void): Watch {
  let timer: NodeJS.Timeout | undefined
  let turn: NodeJS.Immediate | undefined
  const end = (): void => {
    clearTimeout(timer)
    clearImmediate(turn)
  }
  return {
    heard() {
      end()
      timer = setTimeout(() => {
        // Where this process was what stood still, the next turn hears what came meanwhile.
        turn = setImmediate(silent)
      }, ms)
    },
    end,
  }
}
