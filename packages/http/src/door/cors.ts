import type { Reply } from '../reply.ts'
import type { Resource } from '../route.ts'
import { requestHeaders } from './helm-headers.ts'

const allowHeaders = ['Authorization', 'Content-Type', ...requestHeaders].join(', ')

/** What a browser must be told before it hands an answer to a page of an allowed origin. */
export function corsHeaders(
  headers: Headers,
  allowed: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const origin = headers.get('origin')
  if (origin === null || !allowed.includes(origin)) return undefined
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'X-Helm-Correlation-ID, Retry-After',
    vary: 'Origin',
  }
}

/** Whether a browser only asks what it may send. */
export function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('access-control-request-method')
}

export function preflight({ routes }: Resource): Reply {
  return {
    status: 204,
    body: null,
    headers: {
      'access-control-allow-methods': [...routes.keys()].join(', '),
      'access-control-allow-headers': allowHeaders,
      'access-control-max-age': '600',
    },
  }
}
