import type { Verdict } from '@helm-ai-kernel/core'
import type { EventCode } from './problem.ts'

/** What a route answers; the headers that every answer has are added when it is sent. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A stream is sent piece by piece, and no longer counts as in flight. */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null
  /** For logs and metrics. */
  readonly code?: EventCode
  readonly verdict?: Verdict
}

const jsonHeaders = Object.freeze({ 'content-type': 'application/json' })

export function json(value: unknown, status = 200): Reply {
  return { status, headers: jsonHeaders, body: JSON.stringify(value) }
}
