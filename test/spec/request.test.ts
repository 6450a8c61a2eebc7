import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cancel } from '@helm-ai-kernel/core'
import { afterEach, describe, expect, it } from 'vitest'
import { request, type RequestOptions } from '../../packages/host/src/source/request.ts'

const options: RequestOptions = { maxBytes: 1000, cancel: new AbortController().signal }

const servers = new Set<http.Server>()

afterEach(() => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  servers.clear()
})

async function answering(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<URL> {
  const server = http.createServer(listener)
  servers.add(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/path?query=1`)
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

describe('a request', () => {
  it.each(['PATCH', 'PUT'] as const)('sends a body by %s, with its headers', async (method) => {
    const url = await answering((incoming, response) => {
      incoming.setEncoding('utf8').on('data', (body: string) => {
        const { 'x-mine': mine, 'content-length': length } = incoming.headers
        response.setHeader('X-Theirs', 'no').setHeader('set-cookie', ['a=1', 'b=2'])
        response.end([incoming.method, incoming.url, mine, length, body].join(' '))
      })
    })
    const answer = await request(url, {
      ...options,
      method,
      headers: { 'x-mine': 'yes' },
      body: '{"ü":1}',
    })
    expect(answer.status).toBe(200)
    expect(text(answer.bytes)).toBe(`${method} /path?query=1 yes 8 {"ü":1}`)
    expect(answer.headers['x-theirs']).toBe('no')
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  it('gives an error with its body, of which it takes no more than 64 KiB', async () => {
    const url = await answering(({ headers }, response) => {
      response.writeHead(409).end('x'.repeat(Number(headers['x-length'])))
    })
    const ask = (length: number) =>
      request(url, { ...options, maxBytes: 1e6, headers: { 'x-length': String(length) } })
    expect(await ask(65_536)).toMatchObject({ status: 409, bytes: { length: 65_536 } })
    const cut = await ask(500_000)
    expect(cut.status).toBe(409)
    expect(cut.bytes.length).toBeLessThanOrEqual(65_536)
  })

  it('takes exactly as much as it may', async () => {
    const url = await answering(({ headers }, response) => {
      response.write('x')
      response.end('x'.repeat(Number(headers['x-length']) - 1))
    })
    const ask = (length: number) =>
      request(url, { ...options, headers: { 'x-length': String(length) } })
    expect((await ask(1000)).bytes).toHaveLength(1000)
    await expect(ask(1001)).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' })
  })

  it('waits for a slow answer as long as something comes', async () => {
    const url = await answering((_incoming, response) => {
      let sent = 0
      const timer = setInterval(() => {
        response.write('x')
        if (++sent < 20) return
        clearInterval(timer)
        response.end()
      }, 50)
    })
    const answer = await request(url, { ...options, idle: 600 })
    expect(answer.bytes).toHaveLength(20)
  })

  it('is not called silent while it waits for one of the connections', async () => {
    const held: ServerResponse[] = []
    let asked: (() => void) | undefined
    const all = new Promise<void>((resolve) => (asked = resolve))
    const url = await answering((_incoming, response) => {
      if (held.push(response) === 64) asked?.()
      else if (held.length > 64) response.end('the last')
    })
    const first = Array.from({ length: 64 }, () =>
      request(url, { maxBytes: 1000, cancel: new AbortController().signal, idle: 60_000 }),
    )
    await all
    const last = request(url, { ...options, idle: 200 })

    // By now it has waited longer than it may be silent.
    const silent = await answering(() => undefined)
    await expect(request(silent, { ...options, idle: 300 })).rejects.toThrow('sent nothing')
    expect(held).toHaveLength(64)
    for (const response of held) response.end()
    await Promise.all(first)
    expect(text((await last).bytes)).toBe('the last')
  })

  it('is not sent twice when it may have changed something', async () => {
    let count = 0
    const url = await answering((incoming, response) => {
      if (++count === 1) response.end()
      else incoming.socket.destroy()
    })
    await request(url, options)
    await expect(request(url, { ...options, method: 'PATCH' })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    })
    expect(count).toBe(2)
  })

  it('ends with any Cancel, and leaves no listener on it', async () => {
    const listeners = new Set<() => void>()
    const cancel: Cancel = {
      aborted: false,
      addEventListener: (_type, listener) => void listeners.add(listener),
      removeEventListener: (_type, listener) => void listeners.delete(listener),
    }
    const url = await answering((incoming, response) => {
      if (incoming.headers['x-hang'] === undefined) response.end('ok')
      else for (const listener of listeners) listener()
    })
    await request(url, { ...options, cancel })
    expect(listeners.size).toBe(0)
    const hanging = request(url, { ...options, cancel, headers: { 'x-hang': '1' } })
    await expect(hanging).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' })
    expect(listeners.size).toBe(0)
  })

  it('ends with what is thrown when it counts its bytes', async () => {
    const url = await answering((_incoming, response) => response.end('12345'))
    const counted: number[] = []
    await request(url, { ...options, taken: (bytes) => counted.push(bytes) })
    expect(counted).toEqual([5])
    const refusing = request(url, {
      ...options,
      taken() {
        throw new Error('enough')
      },
    })
    await expect(refusing).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })
})
