import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { afterEach, describe, expect, it } from 'vitest'
import type { Given, Io } from '@helm-ai-kernel/cli'
import { listen } from '../../adapters/node/src/listen.ts'
import { tailReceipts } from '../../packages/cli/src/receipt-tail.ts'
import { hostClock } from '../../packages/host/src/clock.ts'
import { cliBench } from '../support/cli.ts'
import { keys, testApp } from '../support/http.ts'

/** What a test started, ended after it. */
const after: (() => unknown)[] = []
afterEach(async () => {
  for (const end of after.splice(0)) await end()
})

/** A program's streams, and promises of what they will hold. */
function streams(env: Readonly<Record<string, string>>): {
  readonly io: Io
  readonly out: () => string
  readonly err: () => string
  until(holds: () => boolean): Promise<void>
} {
  const text = { out: '', err: '' }
  const waiting = new Set<() => void>()
  const write = (to: keyof typeof text) => (more: string) => {
    text[to] += more
    for (const check of waiting) check()
  }
  const io: Io = {
    stdout: write('out'),
    stderr: write('err'),
    env,
    isTty: false,
    cwd: process.cwd(),
    readStdin: async () => new Uint8Array(),
  }
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  return { io, out: () => text.out, err: () => text.err, until }
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void

/** A kernel that answers each request in its turn as it is told, the last one for ever. */
async function scripted(...answers: readonly Answering[]): Promise<{
  readonly url: string
  readonly asked: readonly IncomingMessage[]
}> {
  const asked: IncomingMessage[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const events = (text: string, then: 'stay' | 'end' | 'break'): Answering => {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(text, () => {
      if (then === 'end') response.end()
      if (then === 'break') response.destroy()
    })
  }
}
const receipt = (seq: number): string =>
  `id: at-${seq}\nevent: receipt\ndata: ${JSON.stringify({ seq, verdict: 'DENY', action: `a${seq}` })}\n\n`
const refusing =
  (status: number, code: string): Answering =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ code, detail: `because of ${code}` }))
  }

interface Tailing extends ReturnType<typeof streams> {
  readonly pauses: readonly number[]
  readonly done: Promise<void>
  end(): void
}

function tail(url: string, { json = false, silence = 45_000 } = {}): Tailing {
  const made = streams({ HELM_URL: url, HELM_API_KEY: keys.agent })
  const over = new AbortController()
  after.push(() => over.abort())
  const pauses: number[] = []
  const given: Given = { operands: [], flags: new Map(json ? [['json', ['']]] : []) }
  const done = tailReceipts(given, made.io, {
    name: 'receipts tail',
    query: { verdict: 'DENY', cursor: 'begin' },
    clock: { sleep: async (ms) => void pauses.push(ms) },
    cancel: over.signal,
    silence,
  })
  return { ...made, pauses, done, end: () => over.abort() }
}

describe('receipts tail', () => {
  const bench = cliBench()
  after.push(bench.remove)

  it('prints receipts of a kernel as they are recorded, until it is interrupted', async () => {
    const app = await testApp({ clock: hostClock })
    const listener = await listen(app.app, { host: '127.0.0.1', port: 0, maxConnections: 8 })
    after.push(() => listener.abort())
    await app.evaluate({ action: 'ticket.read' })
    const url = `http://127.0.0.1:${listener.port}`
    const before = process.listeners('SIGINT')
    const { runCli } = await import('@helm-ai-kernel/cli')
    for (const json of [false, true]) {
      const { io, out, err, until } = streams({ HELM_URL: url, HELM_API_KEY: keys.agent })
      const args = ['receipts', 'tail', '--kind', 'decision', ...(json ? ['--json'] : [])]
      const ended = runCli(args, io)
      // It says nothing when it is connected, so receipts are recorded until one is printed.
      let recorded = 0
      while (out() === '') {
        await app.evaluate({ action: 'refund.create' })
        recorded++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await until(() => out().endsWith('\n'))
      const [line = ''] = out().split('\n')
      expect(recorded).toBeGreaterThan(0)
      if (json) {
        expect(JSON.parse(line)).toMatchObject({ verdict: 'ESCALATE', action: 'refund.create' })
      } else {
        expect(line).toMatch(/^ESCALATE {2}\d+ {2}.* {2}refund\.create {2}.*rcpt-[0-9a-f]{64}$/)
      }
      for (const signal of process.listeners('SIGINT')) {
        if (!before.includes(signal)) signal('SIGINT')
      }
      expect(await ended).toBe(0)
      expect(err()).toBe('')
    }
    expect(process.listeners('SIGINT')).toEqual(before)
  })

  it('connects again after the last event, however the connection ended', async () => {
    const { url, asked } = await scripted(
      events(`id: at-0\n\n${receipt(1)}`, 'break'),
      events(`id: at-1\n\n${receipt(2)}`, 'end'),
      refusing(503, 'OVERLOADED'),
      events(`id: at-2\n\n: heartbeat\nid: at-5\n\n`, 'end'),
      events(`id: at-5\n\n${receipt(6)}`, 'stay'),
    )
    const { out, err, pauses, done, end, until } = tail(url)
    await until(() => out().includes('a6'))
    end()
    await done
    expect(out().match(/a\d/g)).toEqual(['a1', 'a2', 'a6'])
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      'at-1',
      'at-2',
      'at-2',
      'at-5',
    ])
    expect(asked[0]?.url).toBe('/api/v1/receipts/tail?verdict=DENY&cursor=begin')
    expect(asked[4]?.headers.authorization).toBe(`Bearer ${keys.agent}`)
    expect(pauses).toEqual([1_000, 1_000, 2_000, 1_000])
    const warnings = err().trim().split('\n')
    expect(warnings).toHaveLength(4)
    expect(warnings[1]).toMatch(/^warning .*ended the stream; connecting again in 1 s$/)
    expect(warnings[2]).toMatch(/^warning because of OVERLOADED; connecting again in 2 s$/)
  })

  it('takes silence for a broken connection', async () => {
    const { url } = await scripted(events('id: at-0\n\n', 'stay'), events(receipt(1), 'stay'))
    const { out, err, end, done, until } = tail(url, { silence: 200 })
    await until(() => out().includes('a1'))
    end()
    await done
    expect(err()).toContain('nothing was heard for 0.2 s')
  })

  it('waits longer each time, and not for ever', async () => {
    const busy = Array.from({ length: 8 }, () => refusing(503, 'OVERLOADED'))
    const { url } = await scripted(events('id: a\n\n', 'end'), ...busy, events(receipt(1), 'stay'))
    const { out, pauses, end, done, until } = tail(url)
    await until(() => out().includes('a1'))
    end()
    await done
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30, 30, 30].map((s) => s * 1000))
  })

  it.each([
    [401, 'AUTH_EXPIRED'],
    [400, 'REQUEST_MALFORMED'],
  ])('ends when the kernel will not have it again: %i', async (status, code) => {
    const { url } = await scripted(events(receipt(1), 'end'), refusing(status, code))
    await expect(tail(url).done).rejects.toMatchObject({ code })
  })

  const hello: Answering = (_, response) => void response.end('hello')

  it.each<[string, Answering, string]>([
    ['what refuses', refusing(503, 'OVERLOADED'), 'OVERLOADED'],
    ['no kernel', hello, 'KERNEL_UNREACHABLE'],
    [
      'an event that is no receipt',
      events('id: 1\nevent: receipt\ndata: {\n\n', 'stay'),
      'KERNEL_UNREACHABLE',
    ],
    ['a connection that breaks', (_, response) => void response.destroy(), 'KERNEL_UNREACHABLE'],
  ])('fails when it first meets %s', async (_, answer, code) => {
    const { url } = await scripted(answer)
    await expect(tail(url).done).rejects.toMatchObject({ code })
  })

  it('fails when there is nobody, and on a filter that is none', async () => {
    const env = { HELM_URL: 'http://127.0.0.1:1', HELM_API_KEY: keys.agent }
    const nobody = await bench.run(['receipts', 'tail'], { env })
    expect(nobody.code).toBe(2)
    expect(nobody.stderr).toMatch(/^error KERNEL_UNREACHABLE/)
    const limit = await bench.run(['receipts', 'tail', '--limit', '1'], { env })
    expect([limit.code, limit.stderr]).toEqual([2, expect.stringContaining('--limit')])
  })

  it('keeps its columns under each other, and escapes what cannot be seen', async () => {
    const long = `data: ${JSON.stringify({ seq: 100, verdict: 'ESCALATE', action: 'x\u001b[2J' })}`
    const { url } = await scripted(
      events(`event: receipt\n${long}\n\n${receipt(7)}event: other\ndata: no\n\n`, 'stay'),
    )
    const { out, end, done, until } = tail(url)
    await until(() => out().split('\n').length > 2)
    end()
    await done
    expect(out().split('\n')).toEqual([
      'ESCALATE  100          x\\u001b[2J',
      'DENY      7            a7',
      '',
    ])
  })
})
