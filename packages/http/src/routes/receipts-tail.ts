import { KernelError, sameScope, type Scope } from '@helm-ai-kernel/core'
import { createAuthenticate } from '../auth/authenticate.ts'
import type { Credential } from '../auth/credentials.ts'
import type { AppOptions } from '../options.ts'
import { problem, type Refusal, refusalOf } from '../problem.ts'
import type { Reply } from '../reply.ts'
import type { Answer, Exchange } from '../route.ts'
import type { Cursors } from './cursor.ts'
import { checkPlace } from './place.ts'
import { parseTailQuery } from './receipt-query.ts'
import { streamOf } from './stream.ts'
import { tailEvents } from './tail-events.ts'

/** Tails of one server at one moment. */
const most = 32

const tooMany: Refusal = {
  refused: 'OVERLOADED',
  detail: `${most} tails are open, which is as many as this kernel serves: end one, or list receipts`,
  headers: { 'retry-after': '15' },
}

const ending: Refusal = {
  refused: 'OVERLOADED',
  detail: 'this kernel is stopping: come again when it is back',
  headers: { 'retry-after': '5' },
}

export type Tail = (exchange: Exchange, credential: Credential) => Promise<Answer>

/** Receipts that are read at a time: with their entries a few megabytes at the most. */
const pageSize = 20

/**
 * `GET /api/v1/receipts/tail`: receipts as they become durable, as server-sent events (HTML, section
 * 9.2), from now on or after `Last-Event-ID`, which any event id or cursor of a list is.
 */
export function createTail(
  options: AppOptions,
  cursorsFor: (scope: Scope) => Promise<Cursors>,
): Tail {
  const { receipts, clock, ended, report } = options
  const authenticate = createAuthenticate(options.credentials, options.clock)
  /** What ends each that is open. */
  const tails = new Set<() => void>()
  ended?.addEventListener('abort', () => {
    for (const end of tails) end()
  })

  return async ({ request, correlationId }, { scope }) => {
    const { headers, method, signal } = request
    const cursors = await cursorsFor(scope)
    const query = parseTailQuery(new URL(request.url), scope, pageSize, cursors)
    const after = lastEventOf(headers, cursors) ?? query.afterSeq
    if (after !== undefined) await checkPlace(receipts, scope, after)
    const begin = after ?? (await receipts.state()).scope(scope).seq
    // Nobody would read the stream of a HEAD, nor say that it is over.
    if (method === 'HEAD') return eventStream(null)
    if (ended?.aborted === true) return ending
    if (tails.size === most) return tooMany

    const over = new AbortController()
    const end = (): void => {
      tails.delete(end)
      signal.removeEventListener('abort', end)
      over.abort()
    }
    tails.add(end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()

    const events = tailEvents(options, {
      query: { ...query, afterSeq: begin },
      cursors,
      over: over.signal,
      isAllowed() {
        const holder = authenticate(headers, 'read')
        return !('refused' in holder) && sameScope(holder.scope, scope)
      },
    })
    const begun = clock.monotonic()
    return eventStream(streamOf(events, end, failed))

    /** The answer has begun: why it ends is for the log alone. */
    function failed(cause: unknown): void {
      const { status, code } = problem(refusalOf(cause), '', correlationId)
      const ms = clock.monotonic() - begun
      const route = '/api/v1/receipts/tail'
      report({ status, method, route, code, verdict: undefined, ms, correlationId, cause })
    }
  }
}

function lastEventOf(headers: Headers, cursors: Cursors): number | undefined {
  const id = headers.get('last-event-id')
  if (id === null) return undefined
  const seq = cursors.decode(id)
  if (seq !== undefined) return seq
  const message = 'must be the id of an event that this credential was sent'
  throw new KernelError('REQUEST_MALFORMED', message, { at: 'Last-Event-ID' })
}

function eventStream(body: Reply['body']): Reply {
  return {
    status: 200,
    // The last one is for proxies, which would hold events back until a buffer is full.
    headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    body,
  }
}
