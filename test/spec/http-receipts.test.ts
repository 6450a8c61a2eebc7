import { describe, expect, test } from 'vitest'
import { nobleCrypto, type ReceiptPage, type ReceiptStore } from '@helm-ai-kernel/core'
import { decodeEntry, verifyEntry } from '@helm-ai-kernel/core/receipt'
import { bearer, keys, problemOf, type TestApp, testApp } from '../support/http.ts'
import { kernelSigner } from '../support/kernel.ts'

interface List {
  readonly receipts: readonly Readonly<Record<string, unknown>>[]
  readonly count: number
  readonly next_cursor: string | null
  readonly has_more: boolean
}

async function list({ call }: TestApp, query = '', init: RequestInit = {}): Promise<List> {
  return (await (await call(`/api/v1/receipts${query}`, init)).json()) as List
}

describe('the list of receipts', () => {
  test('is of the own scope alone, oldest first', async () => {
    const app = await testApp()
    await app.evaluate({ action: 'ticket.read' })
    await app.evaluate(
      { action: 'refund.create' },
      { headers: { 'content-type': 'application/json', ...bearer(keys.other) } },
    )
    await app.evaluate({ action: 'refund.create' })
    const own = await list(app)
    expect(own.receipts.map(({ seq, kind, verdict }) => [seq, kind, verdict])).toEqual([
      [1, 'activation', undefined],
      [2, 'decision', 'ALLOW'],
      [3, 'decision', 'ESCALATE'],
    ])
    expect(own).toMatchObject({ count: 3, next_cursor: null, has_more: false })
    const other = await list(app, '', { headers: bearer(keys.other) })
    expect(other.receipts.map(({ reason_code }) => reason_code)).toEqual(['POLICY_NOT_READY'])
  })

  test('has the statement as signed, where it stands, and the entry only when asked', async () => {
    const app = await testApp()
    const { receipt_id, log_index } = await app.evaluate({ action: 'ticket.read' })
    const [plain] = (await list(app, '?kind=decision')).receipts
    const [stored] = await app.store.read(Number(log_index), Number(log_index) + 1)
    expect(plain).toEqual({ ...stored?.statement, receipt_id, log_index })
    const [whole] = (await list(app, '?kind=decision&entries=true')).receipts
    expect(whole).toEqual({ ...plain, entry: whole?.['entry'] })
    const entry = decodeEntry(new TextEncoder().encode(JSON.stringify(whole?.['entry'])))
    expect(verifyEntry(nobleCrypto, entry, kernelSigner.publicKey)).toBe(true)
  })

  test('neither skips nor repeats while receipts are appended', async () => {
    const app = await testApp()
    for (let i = 0; i < 5; i++) await app.evaluate({ action: 'ticket.read' })
    const seen: unknown[] = []
    let cursor: string | null = null
    for (let page = 0; page < 8; page++) {
      const query: string = cursor === null ? '?limit=2' : `?limit=2&cursor=${cursor}`
      const answer: List = await list(app, query)
      expect(answer.count).toBe(answer.receipts.length)
      seen.push(...answer.receipts.map(({ seq }) => seq))
      cursor = answer.next_cursor
      expect(cursor !== null).toBe(answer.has_more)
      if (cursor === null) break
      if (page < 3) await app.evaluate({ action: 'refund.create' })
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('keeps its filter over pages', async () => {
    const app = await testApp()
    for (const action of ['ticket.read', 'refund.create', 'ticket.read', 'x', 'ticket.read']) {
      await app.evaluate({ action })
    }
    const first = await list(app, '?verdict=ALLOW&limit=2')
    const rest = await list(app, `?verdict=ALLOW&limit=2&cursor=${String(first.next_cursor)}`)
    expect([...first.receipts, ...rest.receipts].map(({ seq }) => seq)).toEqual([2, 4, 6])
    expect(rest).toMatchObject({ count: 1, has_more: false, next_cursor: null })
  })

  test('is filtered by every member that a filter names', async () => {
    const app = await testApp()
    const start = app.clock.now()
    await app.evaluate({ action: 'ticket.read', resource: 'ticket:1', session_id: 'a b&c' })
    app.clock.advance(1000)
    await app.evaluate({ action: 'refund.create' })
    app.clock.advance(1000)
    const asAdmin = { headers: { 'content-type': 'application/json', ...bearer(keys.admin) } }
    await app.evaluate({ action: 'ticket.read', resource: 'secret:1' }, asAdmin)
    const time = (ms: number): string => new Date(start + ms).toISOString()
    const filters: readonly (readonly [string, readonly number[]])[] = [
      ['verdict=DENY', [4]],
      ['reason_code=ESCALATED_BY_RULE', [3]],
      ['kind=activation', [1]],
      ['kind=decision', [2, 3, 4]],
      ['principal=system-admin', [4]],
      ['action=ticket.read', [2, 4]],
      ['resource=ticket%3A1', [2]],
      ['session_id=a+b%26c', [2]],
      ['session_id=', [3, 4]],
      [`from=${time(1000)}`, [3, 4]],
      [`to=${time(1000)}`, [1, 2, 3]],
      [`from=${time(500)}&to=${time(1500)}`, [3]],
      ['action=ticket.read&verdict=ALLOW', [2]],
      ['kind=outcome', []],
    ]
    for (const [query, seqs] of filters) {
      const found = await list(app, `?${query}`)
      expect([query, found.receipts.map(({ seq }) => seq)]).toEqual([query, seqs])
    }
  })

  test('has 100 receipts unless more or fewer are asked for', async () => {
    const app = await testApp()
    for (let i = 0; i < 110; i++) await app.evaluate({ action: 'ticket.read' })
    expect(await list(app)).toMatchObject({ count: 100, has_more: true })
    expect(await list(app, '?limit=1000')).toMatchObject({ count: 111, has_more: false })
    expect(await list(app, '?limit=111')).toMatchObject({ count: 111, has_more: false })
    expect(await list(app, '?limit=1')).toMatchObject({ count: 1, has_more: true })
  })

  test('goes on where a scan of the ledger met its limit, and says where the index begins', async () => {
    const app = await testApp()
    for (let i = 0; i < 4; i++) await app.evaluate({ action: 'ticket.read' })
    const pages: ReceiptPage[] = [
      { receipts: [], hasMore: true, scannedTo: 2, indexFrom: 4 },
      { receipts: await app.store.read(2, 3), hasMore: true, scannedTo: 4, indexFrom: 4 },
      { receipts: await app.store.read(4, 5), hasMore: false },
    ]
    const asked: unknown[] = []
    const receipts: ReceiptStore = {
      ...app.store,
      async find({ afterSeq }) {
        asked.push(afterSeq)
        return pages.shift() ?? expect.unreachable()
      },
    }
    const scanning = await testApp({ receipts })
    const first = await list(scanning, '?action=ticket.read')
    expect(first).toMatchObject({ count: 0, has_more: true, index_from: 4 })
    const second = await list(scanning, `?cursor=${String(first.next_cursor)}`)
    expect(second).toMatchObject({ count: 1, has_more: true, index_from: 4 })
    const third = await list(scanning, `?cursor=${String(second.next_cursor)}`)
    expect(third).toMatchObject({ count: 1, has_more: false, next_cursor: null })
    expect(third).not.toHaveProperty('index_from')
    expect(asked).toEqual([undefined, 2, 4])
  })

  test('refuses the cursor of another scope, and of a ledger that was longer', async () => {
    const app = await testApp()
    for (let i = 0; i < 3; i++) await app.evaluate({ action: 'ticket.read' })
    const { next_cursor: cursor } = await list(app, '?limit=3')
    const path = `/api/v1/receipts?cursor=${String(cursor)}`
    expect((await app.call(path)).status).toBe(200)
    const other = await problemOf(await app.call(path, { headers: bearer(keys.other) }))
    expect(other).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    const longer = await problemOf(await (await testApp()).call(path))
    expect(longer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(longer.detail).toContain('another ledger')
  })

  test.each([
    ['limit=0', 'limit'],
    ['limit=1001', '1000'],
    ['limit=-1', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    ['cursor=%00', 'cursor'],
    [`cursor=${btoa('seq:0')}`, 'cursor'],
    [`cursor=${btoa('seq:1')}`, 'cursor'],
    [`cursor=${btoa('seq:1:00000000')}`, 'cursor'],
    [`cursor=${btoa('seq:9999999999999999:00000000')}`, 'cursor'],
    ['verdict=allow', 'ALLOW'],
    ['kind=Decision', 'decision'],
    ['reason_code=NOPE', 'reason_code'],
    ['from=2026-11-22', 'from'],
    ['to=2026-02-30T00:00:00.000Z', 'to'],
    ['entries=1', 'true or false'],
    [`action=${'a'.repeat(2049)}`, 'action'],
    ['limit=1&limit=2', 'once'],
    ['verdct=DENY', 'verdct'],
    ['tenant_id=acme', 'tenant_id'],
    ['__proto__=x', '__proto__'],
  ])('%s is 400 and named', async (query, phrase) => {
    const { call } = await testApp()
    const answer = await problemOf(await call(`/api/v1/receipts?${query}`))
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(answer.detail).toContain(phrase)
  })
})

describe('a receipt by its id', () => {
  test('comes with the entry that proves it', async () => {
    const { call, evaluate } = await testApp()
    const { receipt_id } = await evaluate({ action: 'ticket.read' })
    const response = await call(`/api/v1/receipts/${String(receipt_id)}`)
    const receipt = (await response.json()) as Record<string, unknown>
    expect(receipt).toMatchObject({ receipt_id, seq: 2, verdict: 'ALLOW', log_index: 2 })
    const bytes = new TextEncoder().encode(JSON.stringify(receipt['entry']))
    expect(`rcpt-${Buffer.from(nobleCrypto.sha256(bytes)).toString('hex')}`).toBe(receipt_id)
  })

  test('of another scope is 404, like one that does not exist', async () => {
    const { call, evaluate } = await testApp()
    const { receipt_id } = await evaluate({ action: 'ticket.read' })
    const missing = `rcpt-${'0'.repeat(64)}`
    for (const path of [String(receipt_id), missing]) {
      const init = { headers: bearer(keys.other) }
      const response = await call(`/api/v1/receipts/${path}`, init)
      expect(await problemOf(response)).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    }
  })

  test.each([
    'x',
    'rcpt-',
    `RCPT-${'0'.repeat(64)}`,
    `rcpt-${'G'.repeat(64)}`,
    '%00',
    '__proto__',
    '..%2f..',
  ])('%s is 404', async (id) => {
    const { call } = await testApp()
    expect((await call(`/api/v1/receipts/${id}`)).status).toBe(404)
  })
})
