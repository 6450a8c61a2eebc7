import { encodeHex, type Random } from '@helm-ai-kernel/core'

const form = /^[A-Za-z0-9._:/=+-]{1,128}$/

/** What ties a request to log lines: the caller's own id when it may be echoed, else a fresh one. */
export function correlationIdOf(headers: Headers, random: Random): string {
  const given = headers.get('x-helm-correlation-id')
  return given !== null && form.test(given) ? given : encodeHex(random.bytes(16))
}
