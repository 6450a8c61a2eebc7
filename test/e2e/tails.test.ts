import fs from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endAll, start, type Started } from '../support/process.ts'
import { temporaryFolder } from '../support/server.ts'
import { eventsOf } from '../support/sse.ts'

const adminKey = 'helm_admin-key-of-the-test'
const authorization = `Bearer ${adminKey}`
const path = '/api/v1/receipts/tail'

let folder: string
let api: string
const sockets = new Set<Socket>()

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  endAll()
  await fs.rm(folder, { recursive: true })
})

async function serve(): Promise<Started> {
  const server = start(['serve'], {
    cwd: folder,
    env: {
      HELM_PORT: '0',
      HELM_HEALTH_PORT: '0',
      HELM_SIGNING_KEY: '42'.repeat(32),
      HELM_ADMIN_API_KEY: adminKey,
      HELM_DATA_DIR: join(folder, 'data'),
    },
  })
  api = String((await server.line('helm-ai-kernel 0.5.6 is listening'))['api'])
  return server
}

/** Decides so often, 64 at a time; the ids of the receipts. */
async function decide(count: number): Promise<readonly string[]> {
  const ids: string[] = []
  const headers = { authorization, 'content-type': 'application/json' }
  const body = JSON.stringify({ action: 'ticket.read', resource: 'r'.repeat(1500) })
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      for (; count > 0;) {
        count--
        const response = await fetch(`${api}/api/v1/evaluate`, { method: 'POST', headers, body })
        ids.push(((await response.json()) as { receipt_id: string }).receipt_id)
      }
    }),
  )
  return ids
}

/** Resident memory of a process, in bytes (proc(5)). */
async function memoryOf({ pid }: Started): Promise<number> {
  const status = await fs.readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

/** A client that sends its request and never reads what comes. */
function deafTail(): Promise<void> {
  const { hostname, port } = new URL(api)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.pause()
      const head = `GET ${path}?entries=true HTTP/1.1\r\nHost: 127.0.0.1\r\n`
      socket.write(`${head}Authorization: ${authorization}\r\n\r\n`, () => resolve())
    })
    socket.on('error', reject)
    sockets.add(socket)
  })
}

const tail = (last?: string) =>
  fetch(api + path, {
    headers: { authorization, ...(last !== undefined && { 'last-event-id': last }) },
  })

describe.skipIf(process.platform !== 'linux')('tails that nobody reads', () => {
  it('take no memory for what they were not sent', async () => {
    const server = await serve()
    await decide(2000)
    const before = await memoryOf(server)
    for (let i = 0; i < 32; i++) await deafTail()
    await decide(20_000)
    // 20,000 receipts with their entries are some 90 MB; 32 times that were to be sent.
    expect((await memoryOf(server)) - before).toBeLessThan(400 * 1024 * 1024)
    expect((await fetch(`${api}/livez`)).status).toBe(200)
  }, 180_000)
})

describe('a server that is stopped', () => {
  it('ends tails that are read and such that are not, and exits in its time', async () => {
    const server = await serve()
    const [read] = await Promise.all([tail(), deafTail(), deafTail()])
    const events = eventsOf(read)
    await events.next()
    await decide(3000)
    server.kill('SIGTERM')
    let seen = 0
    for (let event = await events.next(); event !== undefined; event = await events.next()) {
      if (event.data !== undefined) seen++
    }
    expect(seen).toBe(3000)
    expect(await server.ended).toBe(0)
    const times = server.lines().map(({ time }) => Date.parse(String(time)))
    const draining = server.lines().findIndex(({ message }) => message === 'draining')
    // Design 5.6: within 25 s of SIGTERM.
    expect((times.at(-1) ?? Infinity) - (times[draining] ?? 0)).toBeLessThan(25_000)
    expect(server.stderr()).toBe('')
  }, 60_000)

  it('is followed on after its next start, with none lost and none repeated', async () => {
    const first = await serve()
    const before = eventsOf(await tail())
    let last = (await before.next())?.id
    const ids = [...(await decide(50))]
    const seen: string[] = []
    const take = async (events: ReturnType<typeof eventsOf>, upTo: number) => {
      while (seen.length < upTo) {
        const event = await events.next()
        if (event === undefined) throw new Error(`the stream ended after ${seen.length}`)
        last = event.id ?? last
        if (event.data === undefined) continue
        seen.push((JSON.parse(event.data) as { receipt_id: string }).receipt_id)
      }
    }
    await take(before, 30)
    first.kill('SIGKILL')
    await first.ended
    await before.cancel().catch(() => undefined)
    await serve()
    ids.push(...(await decide(20)))
    const after = eventsOf(await tail(last))
    await take(after, 70)
    await after.cancel()
    expect([...seen].sort()).toEqual([...ids].sort())
  }, 60_000)
})
