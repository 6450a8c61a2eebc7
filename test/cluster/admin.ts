import { once } from 'node:events'
import https from 'node:https'
import type { IncomingMessage } from 'node:http'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Answer {
  readonly status: number
  /** The text, when it is no JSON. */
  readonly json: unknown
}

/** Calls an API server as an administrator. A body that is text is YAML, any other JSON. */
export type Call = (
  method: Method,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>

export function admin(port: number, ca: () => Promise<string>, token: string): Call {
  return async (method, path, body, headers) => {
    const outgoing = https.request({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        ...headers,
      },
      agent: false,
      ca: await ca(),
    })
    outgoing.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    const pieces: Uint8Array[] = []
    for await (const piece of incoming as AsyncIterable<Uint8Array>) pieces.push(piece)
    const text = Buffer.concat(pieces).toString()
    const json: unknown = text.startsWith('{') ? JSON.parse(text) : text
    return { status: incoming.statusCode ?? 0, json }
  }
}
