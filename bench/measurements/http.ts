import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { report } from '../support/figure.ts'
import { load } from '../support/load.ts'
import { adminKey, start, startServer } from '../support/server.ts'

// P7: POST /api/v1/evaluate with a durable signed receipt over 64 connections, against the same route
// of hono answering a constant of the same size. Both servers run all the time and are asked in turns.

const connections = 64
const turns = 6
const perTurn = 8192

const body = JSON.stringify({
  action: 'tool-10.call',
  resource: 'account:10',
  args: { amount: 50, order: 'order-12345', note: 'a usual argument of some length' },
})

if (process.argv[2] === 'constant') serveConstant(process.argv[3] ?? '')
else await measure()

function serveConstant(body: string): void {
  const app = new Hono()
  app.post('/api/v1/evaluate', async (c) => {
    await c.req.json()
    return c.body(body, 200, { 'content-type': 'application/json' })
  })
  const answer = getRequestListener(app.fetch)
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing))
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    console.log(JSON.stringify({ api: `http://127.0.0.1:${port}` }))
  })
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'helm-http-'))
  const kernel = await startServer(folder)
  try {
    await untilReady(kernel.healthPort)
    const answer = await fetch(`http://127.0.0.1:${kernel.port}/api/v1/evaluate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body,
    })
    const text = await answer.text()
    if (!text.includes('"allow":true')) throw new Error(`not allowed: ${text}`)
    const constant = await start([process.argv[1] ?? '', 'constant', text], {})
    try {
      const shares: number[] = []
      const rates: number[] = []
      for (let turn = 0; turn < turns; turn++) {
        const floor = await load(constant.port, request(constant.port), connections, perTurn)
        const own = await load(kernel.port, request(kernel.port), connections, perTurn)
        if (turn === 0) continue
        rates.push(own)
        shares.push(own / floor)
      }
      tell(rates, shares)
    } finally {
      await constant.stop()
    }
  } finally {
    await kernel.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function untilReady(port: number): Promise<void> {
  for (;;) {
    const { status } = await fetch(`http://127.0.0.1:${port}/readyz`)
    if (status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function tell(rates: readonly number[], shares: readonly number[]): void {
  const middle = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
  report([
    { id: 'P7', what: 'durable decisions a second over HTTP', value: middle(rates), unit: '/s' },
    {
      id: 'P7',
      what: 'evaluate over HTTP ÷ the same route answering a constant',
      value: middle(shares),
      limit: { sense: '≥', value: 0.6 },
      unit: 'ratio',
    },
  ])
}

function request(port: number): Buffer {
  return Buffer.from(
    `POST /api/v1/evaluate HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${adminKey}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
}
