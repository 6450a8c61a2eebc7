import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'

/** One request to a control plane, and what it would answer if it were honest. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly answer: PlaneAnswer
}

export interface PlaneAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Uint8Array | string
}

/** How a route answers. */
export type Manner = (exchange: Exchange) => void

export const honest: Manner = ({ response, answer: { status, headers, body } }) => {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body)
}

/** Takes the request and never answers. */
export const hang: Manner = () => undefined

/** Begins an honest answer, and then sends nothing more. */
export const stall: Manner = ({ response, answer: { status, body } }) => {
  const bytes = Buffer.from(body)
  response.writeHead(status, { 'content-length': bytes.length })
  response.write(bytes.subarray(0, bytes.length - 1))
}

/** The honest answer, a byte every `ms`. */
export function drip(ms: number): Manner {
  return ({ response, answer: { status, body } }) => {
    const bytes = Buffer.from(body)
    let sent = 0
    response.writeHead(status, { 'content-length': bytes.length })
    const timer = setInterval(() => {
      response.write(bytes.subarray(sent, ++sent))
      if (sent === bytes.length) response.end()
    }, ms)
    response.once('close', () => clearInterval(timer))
  }
}

/** A body without an end. */
export const flood: Manner = ({ response, answer: { status } }) => {
  const piece = Buffer.alloc(65_536, 0x20)
  const pour = (): void => {
    while (!response.destroyed && response.write(piece));
  }
  response.writeHead(status).on('drain', pour)
  pour()
}

/** A few KiB that become 16 MiB. */
export const gzipBomb: Manner = (exchange) => {
  const body = gzipSync(Buffer.alloc(16 * 1024 * 1024))
  honest({ ...exchange, answer: { status: 200, headers: { 'content-encoding': 'gzip' }, body } })
}

export function redirect(location: string, status = 302): Manner {
  return answering({ status, headers: { location }, body: '' })
}

/** Every other answer is an error. */
export function flap(): Manner {
  let count = 0
  return (exchange) => (count++ % 2 === 0 ? status(503)(exchange) : honest(exchange))
}

export function status(code: number, body: Uint8Array | string = ''): Manner {
  return answering({ status: code, body })
}

export function body(bytes: Uint8Array | string, headers: Record<string, string> = {}): Manner {
  return answering({ status: 200, headers, body: bytes })
}

export function answering(answer: PlaneAnswer): Manner {
  return (exchange) => honest({ ...exchange, answer })
}

/** Says how long it is, which is too long, and goes on to send it. */
export function declaring(bytes: number): Manner {
  return ({ response }) => {
    response.writeHead(200, { 'content-length': bytes }).write('{')
  }
}

/** Ends in the middle, after it said how long it is. */
export const truncated: Manner = ({ response, answer: { body: whole } }) => {
  const bytes = Buffer.from(whole)
  response.writeHead(200, { 'content-length': bytes.length })
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
}

/** 304 to whoever asks. */
export const unmodified: Manner = ({ response }) => {
  response.writeHead(304).end()
}

/** Closes the connection without a word. */
export const reset: Manner = ({ request }) => {
  request.socket.destroy()
}

/** Bytes that are what the caller makes of them. */
export function raw(text: string): Manner {
  return ({ request }) => request.socket.write(text)
}
