import type { Refusal } from '../problem.ts'

/** A name that only this machine answers to, with any port. */
const loopbackName = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/**
 * Refuses a `Host` that is none. A kernel bound to loopback takes loopback names alone, so that no
 * page can reach it through a name that its owner points at 127.0.0.1 (DNS rebinding).
 */
export function checkHost(host: string, loopback: boolean): Refusal | undefined {
  if (host.includes(',')) {
    return { refused: 'REQUEST_MALFORMED', detail: 'send one Host header, not several' }
  }
  if (loopback && !loopbackName.test(host)) {
    return {
      refused: 'HOST_REFUSED',
      detail: 'this kernel listens on loopback only: call it as localhost or 127.0.0.1',
    }
  }
  return undefined
}

/** Not every runtime passes the header on; the URL then has what it said. */
export function hostOf(request: Request): string {
  return request.headers.get('host') ?? new URL(request.url).host
}
