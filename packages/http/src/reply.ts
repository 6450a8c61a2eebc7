import type { EventCode } from './problem.ts'

/** What a route answers; the headers that every answer has are added when it is sent. */
export interface Reply {
  readonly status: number
  /** Content-Type. */
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer> | null
  readonly headers?: Readonly<Record<string, string>>
  /** For the log. */
  readonly code?: EventCode
}

export function json(value: unknown, status = 200): Reply {
  return { status, type: 'application/json', body: JSON.stringify(value) }
}
