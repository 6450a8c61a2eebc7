import { rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { listenWith } from '../../adapters/node/src/listen.ts'
import { nodeRuntime } from '../../adapters/node/src/runtime.ts'
import { secrets, startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { type EventReader, eventsOf } from '../support/sse.ts'

// Those who follow a whole server and are in its way: too many, never reading, gone without a word, and
// one whose connection breaks over and over.

const path = '/api/v1/receipts/tail'
const headers = { authorization: `Bearer ${secrets.adminKey}` }

let folder: string
let server: TestServer
const sockets = new Set<Socket>()

beforeAll(async () => {
  folder = await temporaryFolder()
  server = await startServer(folder, {}, { ...nodeRuntime, listen: listenWith(300) })
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

/** A tail that is read. */
async function tail(more: Readonly<Record<string, string>> = {}, query = '') {
  const over = new AbortController()
  const init = { headers: { ...headers, ...more }, signal: over.signal }
  const response = await fetch(server.api + path + query, init)
  return { response, end: () => over.abort() }
}

/** A client that sends its request and never reads what comes. */
function deafTail(): Promise<Socket> {
  const { hostname, port } = new URL(server.api)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.pause()
      socket.write(
        `GET ${path}?entries=true HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${headers.authorization}\r\n\r\n`,
        () => resolve(socket),
      )
    })
    socket.on('error', reject)
    sockets.add(socket)
  })
}

const decide = (count: number, at = 0) =>
  Promise.all(
    Array.from({ length: count }, (_, i) => {
      const resource = `${'r'.repeat(1000)}:${at + i}`
      return server.evaluate({ action: 'ticket.read', resource })
    }),
  )

/** Resolves when there is room for one more tail. */
async function untilRoom(): Promise<void> {
  await vi.waitFor(
    async () => {
      const { response, end } = await tail()
      end()
      expect(response.status).toBe(200)
    },
    { timeout: 30_000, interval: 100 },
  )
}

describe('too many', () => {
  it('the 33rd is told to come again, and finds room as soon as one is gone without a word', async () => {
    const all = await Promise.all(Array.from({ length: 32 }, () => tail()))
    expect(all.map(({ response }) => response.status)).toEqual(Array(32).fill(200))
    const { response } = await tail()
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '15'])
    expect(await response.json()).toMatchObject({ code: 'OVERLOADED' })
    all[0]?.end()
    await untilRoom()
    for (const { end } of all) end()
  })
})

describe('a reader that never reads', () => {
  it('is let go, so that 32 of them do not hold the places of all others', async () => {
    for (let i = 0; i < 32; i++) await deafTail()
    await vi.waitFor(async () => {
      const { response, end } = await tail()
      end()
      expect(response.status).toBe(503)
    })
    // Until more is written than the system's buffers take.
    for (let at = 0, status = 503; status !== 200; at += 500) {
      expect(at).toBeLessThan(20_000)
      await decide(500, at)
      const { response, end } = await tail()
      end()
      status = response.status
    }
  }, 120_000)
})

describe('a connection that breaks over and over', () => {
  it('loses no receipt and repeats none, while others are recorded', async () => {
    const seqs: number[] = []
    let last = ''
    const state = { recording: true }
    const recorded = (async () => {
      const ids: string[] = []
      for (let i = 0; i < 40; i++) {
        ids.push(...(await decide(10, i * 10)).map(({ receipt_id }) => receipt_id))
      }
      state.recording = false
      return new Set(ids)
    })()
    const seen: string[] = []
    for (let round = 0; state.recording || seen.length < 400; round++) {
      const { response, end } = await tail(last === '' ? {} : { 'last-event-id': last })
      expect(response.status).toBe(200)
      const events: EventReader = eventsOf(response)
      // Cut after a different number of events each time; at least the first, which has the place.
      for (let i = 0; i < 1 + ((round * 7) % 13); i++) {
        const event = await events.next()
        if (event?.id !== undefined) last = event.id
        if (event?.data === undefined) continue
        const { seq, receipt_id: id } = JSON.parse(event.data) as {
          seq: number
          receipt_id: string
        }
        seqs.push(seq)
        seen.push(id)
        if (!state.recording && seen.length === 400) break
      }
      end()
    }
    const all = await recorded
    expect(new Set(seen)).toEqual(all)
    expect(seen).toHaveLength(all.size)
    expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] ?? 0) + i))
  }, 60_000)
})
