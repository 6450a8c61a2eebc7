import type { HttpEvent } from '@helm-ai-kernel/http'
import type { Log } from './log.ts'

/** A line for each request at debug; what a 500 hid from its caller is an error. */
export function logRequests(log: Log): (event: HttpEvent) => void {
  return ({ status, method, route, code, ms, correlationId, cause }) => {
    const isFault = status === 500
    const write = isFault ? log.error : log.debug
    write(isFault ? 'request failed' : 'request', {
      status,
      method,
      route,
      code,
      ms: Math.round(ms * 1000) / 1000,
      correlation_id: correlationId,
      cause: cause === undefined ? undefined : causeOf(cause),
    })
  }
}

function causeOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
