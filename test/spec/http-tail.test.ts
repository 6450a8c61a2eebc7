import { afterEach, describe, expect, test } from 'vitest'
import type { ReceiptPage, ReceiptStore } from '@helm-ai-kernel/core'
import type { AppOptions } from '@helm-ai-kernel/http'
import { credentialsOf } from '@helm-ai-kernel/http'
import { listen } from '../../adapters/node/src/listen.ts'
import { hostClock } from '../../packages/host/src/clock.ts'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import { bearer, credentialInput, keys, problemOf, type TestApp, testApp } from '../support/http.ts'
import { type EventReader, eventsOf } from '../support/sse.ts'

const path = '/api/v1/receipts/tail'

/** Tails that a test opened; they end with it. */
const open = new Set<EventReader>()
afterEach(async () => {
  for (const events of open) await events.cancel()
  open.clear()
})

async function tail({ call }: TestApp, query = '', init: RequestInit = {}): Promise<EventReader> {
  const response = await call(path + query, init)
  expect(response.status).toBe(200)
  const events = eventsOf(response)
  open.add(events)
  return events
}

/** An API whose ledger tells of new receipts; `told` are those who listen. */
async function watchedApp(more: Partial<AppOptions> = {}): Promise<{
  readonly app: TestApp
  readonly listeners: ReadonlySet<() => void>
}> {
  const listeners = new Set<() => void>()
  const app = await testApp({
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    ...more,
  })
  const { evaluate } = app
  const telling: TestApp['evaluate'] = async (...args) => {
    const answer = await evaluate(...args)
    for (const listener of listeners) listener()
    return answer
  }
  return { app: { ...app, evaluate: telling }, listeners }
}

/** What the stream says next, the clock moving on until it does. */
async function soon({ clock }: TestApp, events: EventReader): ReturnType<EventReader['next']> {
  const next = events.next()
  const turn = (): Promise<'nothing'> =>
    new Promise((resolve) => setImmediate(() => resolve('nothing')))
  for (let i = 0; i < 400; i++) {
    if ((await Promise.race([next, turn()])) !== 'nothing') break
    clock.advance(50)
  }
  return next
}

const seqOf = (event: Awaited<ReturnType<EventReader['next']>>): unknown =>
  (JSON.parse(event?.data ?? '{}') as Record<string, unknown>)['seq']

describe('the tail of receipts', () => {
  test('begins now, and says each receipt as the list does', async () => {
    const { app } = await watchedApp()
    await app.evaluate({ action: 'ticket.read' })
    const response = await app.call(path)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    })
    const events = eventsOf(response)
    open.add(events)
    const first = await events.next()
    expect(first).toMatchObject({ event: undefined, data: undefined })
    await app.evaluate({ action: 'refund.create' })
    const event = await soon(app, events)
    expect(event?.event).toBe('receipt')
    const list = await app.call(`/api/v1/receipts?cursor=${first?.id ?? ''}`)
    const { receipts } = (await list.json()) as { receipts: unknown[] }
    expect([JSON.parse(event?.data ?? '')]).toEqual(receipts)
    expect(seqOf(event)).toBe(3)
  })

  test('comes with entries and filters as the list does', async () => {
    const { app } = await watchedApp()
    const events = await tail(app, '?verdict=DENY&entries=true')
    await events.next()
    for (const action of ['ticket.read', 'none', 'refund.create', 'nothing']) {
      await app.evaluate({ action })
    }
    const denied = [await soon(app, events), await soon(app, events)]
    expect(denied.map(seqOf)).toEqual([3, 5])
    const [receipt] = denied.map(
      (event) => JSON.parse(event?.data ?? '') as Record<string, unknown>,
    )
    const byId = await app.call(`/api/v1/receipts/${String(receipt?.['receipt_id'])}`)
    expect(receipt).toEqual(await byId.json())
  })

  test('is of the own scope alone', async () => {
    const { app } = await watchedApp()
    const events = await tail(app)
    const other = await tail(app, '', { headers: bearer(keys.other) })
    await other.next()
    await events.next()
    const json = { 'content-type': 'application/json' }
    await app.evaluate({ action: 'x' }, { headers: { ...json, ...bearer(keys.other) } })
    expect(await soon(app, other)).toMatchObject({ event: 'receipt' })
    await app.evaluate({ action: 'ticket.read' })
    expect(seqOf(await soon(app, events))).toBe(2)
  })

  test.each(['Last-Event-ID', 'cursor'])('goes on after a place given as %s', async (how) => {
    const { app } = await watchedApp()
    const events = await tail(app)
    await events.next()
    for (let i = 0; i < 50; i++) await app.evaluate({ action: 'ticket.read' })
    const seen = [await soon(app, events), await soon(app, events)]
    await events.cancel()
    const id = seen.at(-1)?.id ?? ''
    const again =
      how === 'cursor'
        ? await tail(app, `?cursor=${id}`)
        : await tail(app, '', { headers: { 'last-event-id': id } })
    expect((await again.next())?.id).toBe(id)
    const rest: unknown[] = []
    while (rest.length < 48) rest.push(seqOf(await soon(app, again)))
    expect(rest).toEqual(Array.from({ length: 48 }, (_, i) => i + 4))
  })

  test('looks once a second where the ledger does not tell', async () => {
    const app = await testApp()
    const events = await tail(app)
    await events.next()
    for (const seq of [2, 3]) {
      await app.evaluate({ action: 'ticket.read' })
      const before = app.clock.monotonic()
      expect(seqOf(await soon(app, events))).toBe(seq)
      expect(app.clock.monotonic() - before).toBeLessThanOrEqual(1_200)
    }
  })

  test('has a heartbeat every 15 s, with the place where to go on', async () => {
    const { app } = await watchedApp()
    const events = await tail(app, '?verdict=DENY')
    const first = await events.next()
    await app.evaluate({ action: 'ticket.read' })
    const before = app.clock.monotonic()
    const beat = await soon(app, events)
    expect(beat).toMatchObject({ comment: 'heartbeat', event: undefined, data: undefined })
    expect(app.clock.monotonic() - before).toBeGreaterThanOrEqual(14_900)
    expect(app.clock.monotonic() - before).toBeLessThanOrEqual(15_300)
    expect(beat?.id).toBe(first?.id)
  })

  test('goes on where a scan ended that found nothing', async () => {
    const { app } = await watchedApp()
    for (let i = 0; i < 4; i++) await app.evaluate({ action: 'ticket.read' })
    const pages: ReceiptPage[] = [
      { receipts: [], hasMore: true, scannedTo: 2, indexFrom: 9 },
      { receipts: await app.store.read(3, 4), hasMore: true, scannedTo: 4 },
    ]
    const asked: unknown[] = []
    const receipts: ReceiptStore = {
      ...app.store,
      async find({ afterSeq }) {
        asked.push(afterSeq)
        return pages.shift() ?? { receipts: [], hasMore: false }
      },
    }
    const list = await app.call('/api/v1/receipts?limit=1')
    const { next_cursor: cursor } = (await list.json()) as { next_cursor: string }
    const scanning = await testApp({ receipts, clock: app.clock })
    const events = await tail(scanning, `?cursor=${cursor}&action=ticket.read`)
    await events.next()
    const found = await soon(app, events)
    expect(seqOf(found)).toBe(3)
    const beat = await soon(app, events)
    expect(beat?.comment).toBe('heartbeat')
    expect(asked.slice(0, 3)).toEqual([1, 2, 4])
    // Beyond the receipt that was found: the scan is not done again.
    expect(beat?.id).not.toBe(found?.id)
  })
})

describe('a tail ends', () => {
  test('with its client, and its place is free', async () => {
    const { app, listeners } = await watchedApp()
    const events = await tail(app)
    await events.next()
    const waiting = events.next()
    await new Promise((resolve) => setImmediate(resolve))
    expect(listeners.size).toBe(1)
    await events.cancel()
    await waiting
    expect(listeners.size).toBe(0)
  })

  test('with the request, if nobody reads', async () => {
    const { app, listeners } = await watchedApp()
    const gone = new AbortController()
    const events = await tail(app, '', { signal: gone.signal })
    await events.next()
    const waiting = events.next()
    gone.abort()
    expect(await waiting).toBeUndefined()
    expect(listeners.size).toBe(0)
  })

  test('with the server, which takes no new one then', async () => {
    const ended = new AbortController()
    const { app, listeners } = await watchedApp({ ended: ended.signal })
    const [reading, idle] = [await tail(app), await tail(app)]
    await reading.next()
    const waiting = reading.next()
    ended.abort()
    expect(await waiting).toBeUndefined()
    await idle.next()
    expect(await idle.next()).toBeUndefined()
    expect(listeners.size).toBe(0)
    const answer = await app.call(path)
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(await problemOf(answer)).toMatchObject({ status: 503, code: 'OVERLOADED' })
  })

  test('when its key is withdrawn or expires', async () => {
    let credentials = credentialsOf(credentialInput, nodeCrypto)
    const { app } = await watchedApp({
      credentials: {
        configured: true,
        internalConfigured: true,
        find: (key) => credentials.find(key),
      },
    })
    const events = await tail(app)
    await events.next()
    expect(await soon(app, events)).toMatchObject({ comment: 'heartbeat' })
    credentials = credentialsOf({ ...credentialInput, clients: [] }, nodeCrypto)
    await app.evaluate({ action: 'ticket.read' })
    expect(await soon(app, events)).toBeUndefined()
  })

  test('when the ledger cannot be read, which the log alone is told why, and its place is free', async () => {
    let broken = false
    const base = await watchedApp()
    const receipts: ReceiptStore = {
      ...base.app.store,
      find: (query) => (broken ? Promise.reject(new Error('disk')) : base.app.store.find(query)),
    }
    const { app, listeners } = await watchedApp({ receipts, clock: base.app.clock })
    const events = await tail(app)
    await events.next()
    broken = true
    expect(await events.next()).toBeUndefined()
    expect(listeners.size).toBe(0)
    expect(app.events.at(-1)).toMatchObject({
      status: 500,
      code: 'INTERNAL',
      cause: new Error('disk'),
    })
  })
})

describe('tails are bounded', () => {
  test('32 at a time, and each that ends makes room', async () => {
    const { app } = await watchedApp()
    const all: EventReader[] = []
    for (let i = 0; i < 32; i++) all.push(await tail(app))
    const answer = await app.call(path)
    expect(await problemOf(answer)).toMatchObject({ status: 503, code: 'OVERLOADED' })
    await all[0]?.cancel()
    await tail(app)
  })

  test('reads the ledger only as its client reads', async () => {
    let finds = 0
    const base = await testApp()
    const receipts: ReceiptStore = {
      ...base.store,
      find(query) {
        finds++
        expect(query.limit).toBeLessThanOrEqual(20)
        return base.store.find(query)
      },
    }
    for (let i = 0; i < 100; i++) await base.evaluate({ action: 'ticket.read' })
    const list = await base.call('/api/v1/receipts?limit=1')
    const { next_cursor: cursor } = (await list.json()) as { next_cursor: string }
    const app = await testApp({ receipts, clock: base.clock })
    const events = await tail(app, `?cursor=${cursor}`)
    await events.next()
    expect(finds).toBe(0)
    for (let seq = 2; seq <= 41; seq++) expect(seqOf(await events.next())).toBe(seq)
    expect(finds).toBe(2)
  })

  test('holds no place among the requests in flight', async () => {
    const limits = { maxInFlight: 1, maxBodyBytes: 1 << 20, ratePerSecond: undefined }
    const { app } = await watchedApp({ limits })
    const [first, second] = [await tail(app), await tail(app)]
    await Promise.all([first.next(), second.next()])
    expect((await app.call('/api/v1/receipts')).status).toBe(200)
  })

  test('HEAD opens none', async () => {
    const { app } = await watchedApp()
    for (let i = 0; i < 40; i++) {
      const response = await app.call(path, { method: 'HEAD' })
      expect([response.status, response.body]).toEqual([200, null])
      expect(response.headers.get('content-type')).toBe('text/event-stream')
    }
  })
})

describe('a tail is refused', () => {
  const foreign = 'c2VxOjE6MDAwMDAwMDA'

  test.each([
    ['?limit=5', {}, 400, 'limit'],
    ['?cursor=x', {}, 400, 'cursor'],
    ['?verdict=maybe', {}, 400, 'verdict'],
    ['', { 'last-event-id': 'x' }, 400, 'Last-Event-ID'],
    ['', { 'last-event-id': '' }, 400, 'Last-Event-ID'],
    ['', { 'last-event-id': foreign }, 400, 'Last-Event-ID'],
    [`?cursor=${foreign}`, {}, 400, 'cursor'],
    ['', bearer(keys.auditor), 403, 'read'],
    ['', bearer('helm_wrong'), 401, 'key'],
  ])('%s %j with %i', async (query, headers, status, phrase) => {
    const { app } = await watchedApp()
    const answer = await problemOf(await app.call(path + query, { headers }))
    expect(answer.status).toBe(status)
    expect(answer.detail).toContain(phrase)
  })

  test('with 400 after an event of another scope, or of a ledger that was longer', async () => {
    const { app } = await watchedApp()
    for (let i = 0; i < 3; i++) await app.evaluate({ action: 'ticket.read' })
    const { id = '' } = (await (await tail(app)).next()) ?? {}
    const other = { headers: { 'last-event-id': id, ...bearer(keys.other) } }
    expect((await app.call(path, other)).status).toBe(400)
    const { app: shorter } = await watchedApp()
    const answer = await problemOf(await shorter.call(path, { headers: { 'last-event-id': id } }))
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(answer.detail).toContain('another ledger')
  })

  test('with 405 for another method', async () => {
    const { app } = await watchedApp()
    const response = await app.call(path, { method: 'POST' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

describe('on a Node server', () => {
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve))
  }

  test('a tail streams, ends with its connection, and does not keep the server', async () => {
    const ended = new AbortController()
    const { app, listeners } = await watchedApp({ ended: ended.signal, clock: hostClock })
    const listener = await listen(app.app, { host: '127.0.0.1', port: 0, maxConnections: 8 })
    const url = `http://127.0.0.1:${listener.port}${path}`
    const gone = new AbortController()
    const left = eventsOf(await fetch(url, { headers: bearer(keys.agent), signal: gone.signal }))
    await left.next()
    await until(() => listeners.size === 1)
    gone.abort()
    await until(() => listeners.size === 0)

    const events = eventsOf(await fetch(url, { headers: bearer(keys.agent) }))
    await events.next()
    await app.evaluate({ action: 'ticket.read' })
    expect(await events.next()).toMatchObject({ event: 'receipt' })
    const closed = listener.close()
    ended.abort()
    await closed
    expect(await events.next()).toBeUndefined()
    expect(listeners.size).toBe(0)
  })
})
