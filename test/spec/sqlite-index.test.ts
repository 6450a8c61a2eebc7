import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Draft,
  fits,
  type ReceiptIndex,
  type ReceiptQuery,
  scopeOf,
  type Stored,
  timestamp,
} from '@helm-ai-kernel/core'
import { createReceiptIndex, openSqlite } from '@helm-ai-kernel/sqlite'
import { acme, activation, decision, other, sealAll, signerOf } from '../support/log-entries.ts'

const key = signerOf(1)
const sqlite = await openSqlite()
const nobody = scopeOf('no', 'one')

const principals = ['agent:a', 'user:eve', '']
const actions = ['ticket.read', 'TICKET.READ', 'refund.create', 'mail.send', 'agent:a']
const sessions = ['', 's-1', 's-2']
const resourceOf = (i: number): string => (i % 3 === 0 ? '' : `order:${i % 400}`)
const pick = <T>(values: readonly T[], i: number): T => values[i % values.length] as T

/** The i-th of many receipts: two scopes, all members varied, many at one moment. */
function draftOf(i: number): Draft {
  const scope = i % 5 === 0 ? other : acme
  if (i % 97 === 0) return activation(scope, i)
  const made = decision(scope, null)
  if (made.body.kind !== 'decision') throw new Error('unreachable')
  const members = {
    principal: pick(principals, i >> 2),
    action: pick(actions, i >> 1),
    session_id: pick(sessions, i >> 3),
    resource: resourceOf(i),
    verdict: i % 150 === 7 ? ('ALLOW' as const) : ('DENY' as const),
  }
  return { scope, body: { ...made.body, ...members } }
}

const start = 1_000
const log: readonly Stored[] = sealAll(
  Array.from({ length: 2_000 }, (_, i) => ({
    by: key,
    draft: draftOf(i),
    at: start + Math.floor(i / 4) * 10,
  })),
).map((sealed, logIndex) => ({ ...sealed, logIndex }))

const time = fc.integer({ min: start - 5, max: start + 5_010 }).map((ms) => timestamp(ms))
const queries: fc.Arbitrary<ReceiptQuery> = fc.record(
  {
    scope: fc.constantFrom(acme, other, nobody),
    limit: fc.integer({ min: 1, max: 30 }),
    receiptId: fc.constantFrom(...log.map(({ receiptId }) => receiptId)),
    kind: fc.constantFrom('decision', 'activation', 'outcome'),
    verdict: fc.constantFrom('ALLOW', 'DENY', 'ESCALATE'),
    reasonCode: fc.constantFrom('POLICY_NOT_READY', 'NO_MATCHING_RULE'),
    principal: fc.constantFrom(...principals, 'nobody'),
    action: fc.constantFrom(...actions, 'ticket.rea', 'ticket.read\0'),
    resource: fc.constantFrom('', 'order:1', 'order:200', 'order:nothing'),
    sessionId: fc.constantFrom(...sessions, 's-3'),
    from: time,
    to: time,
    afterSeq: fc.integer({ min: 0, max: 1_700 }),
  },
  { requiredKeys: ['scope', 'limit'] },
)

/** What a filter over the receipts from `from` to before `to` finds. */
function expected(query: ReceiptQuery, from: number, to: number): readonly number[] {
  return log
    .slice(from, to)
    .filter((one) => fits(query, one) && one.statement.seq > (query.afterSeq ?? 0))
    .slice(0, query.limit + 1)
    .map(({ logIndex }) => logIndex)
}

function holding(from: number, to: number, limit?: number): ReceiptIndex {
  const index = createReceiptIndex(sqlite, limit === undefined ? {} : { limit })
  index.add(log.slice(from, to))
  return index
}

describe('the receipt index', () => {
  const whole = holding(0, log.length)

  it('proposes what a filter over the receipts finds', () => {
    fc.assert(
      fc.property(queries, (query) => {
        expect(whole.propose(query)).toEqual(expected(query, 0, log.length))
      }),
      { numRuns: 500 },
    )
  })

  const filters: readonly Partial<ReceiptQuery>[] = [
    {},
    { kind: 'activation' },
    { verdict: 'ALLOW' },
    { reasonCode: 'POLICY_NOT_READY' },
    { principal: '' },
    { action: 'TICKET.READ' },
    { resource: 'order:200' },
    { sessionId: 's-2' },
    { afterSeq: 1_500 },
    { from: timestamp(start + 4_000) },
    { to: timestamp(start + 20) },
    { from: timestamp(start + 20), to: timestamp(start + 20) },
    { from: timestamp(start + 21), to: timestamp(start + 20) },
    { receiptId: log[1_234]?.receiptId ?? expect.unreachable() },
  ]

  it.each(filters)('by %j alone', (filter) => {
    const query: ReceiptQuery = { scope: acme, limit: 10_000, ...filter }
    expect(whole.propose(query)).toEqual(expected(query, 0, log.length))
  })

  it('proposes one more than is asked for, so that it is known that there are more', () => {
    expect(whole.propose({ scope: acme, limit: 3 })).toEqual([1, 2, 3, 4])
  })

  it('holds nothing at first', () => {
    const index = createReceiptIndex(sqlite)
    expect(index.from).toBeUndefined()
    expect(index.propose({ scope: acme, limit: 3, from: timestamp(0), afterSeq: 1 })).toEqual([])
    index.add([])
    expect(index.from).toBeUndefined()
  })

  it('is filled backwards from where it begins, to the first receipt', () => {
    const index = holding(1_500, 1_600)
    for (let end = 1_500; end > 0; end -= 100) {
      expect(index.from).toBe(end)
      index.add(log.slice(end - 100, end))
    }
    expect(index.from).toBe(0)
    const query: ReceiptQuery = { scope: acme, limit: 10_000, action: 'mail.send' }
    expect(index.propose(query)).toEqual(expected(query, 0, 1_600))
  })

  it('drops the oldest beyond its limit, and takes none that it would drop', () => {
    const index = holding(0, 640, 640)
    for (let at = 640; at < 2_000; at++) {
      index.add(log.slice(at, at + 1))
      expect(at + 1 - (index.from ?? 0)).toBeGreaterThanOrEqual(640)
      expect(at + 1 - (index.from ?? 0)).toBeLessThanOrEqual(650)
    }
    const from = index.from ?? 0
    const query: ReceiptQuery = { scope: other, limit: 10_000 }
    expect(index.propose(query)).toEqual(expected(query, from, 2_000))
    index.add(log.slice(from - 20, from))
    expect(index.from).toBe(from)
  })

  it('keeps the newest of a batch that is larger than it', () => {
    expect(holding(0, 500, 10).from).toBe(490)
  })

  it('fills up what is free and no more, the newest first', () => {
    const index = holding(500, 590, 100)
    index.add(log.slice(400, 500))
    expect(index.from).toBe(490)
  })

  it('forgets everything, and begins again anywhere', () => {
    const index = holding(0, 100)
    index.clear()
    expect(index.from).toBeUndefined()
    expect(index.propose({ scope: acme, limit: 9 })).toEqual([])
    index.add(log.slice(700, 800))
    expect(index.from).toBe(700)
    const query: ReceiptQuery = { scope: acme, limit: 9 }
    expect(index.propose(query)).toEqual(expected(query, 700, 800))
  })

  it.each([
    ['after a gap', log.slice(301, 302)],
    ['before a gap', log.slice(198, 199)],
    ['that it has', log.slice(299, 300)],
    ['with a gap', [...log.slice(300, 301), ...log.slice(302, 303)]],
  ])('refuses receipts %s, and stays as it is', (_, receipts) => {
    const index = holding(200, 300)
    expect(() => index.add(receipts)).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(index.from).toBe(200)
    index.add(log.slice(300, 302))
    const query: ReceiptQuery = { scope: acme, limit: 1_000 }
    expect(index.propose(query)).toEqual(expected(query, 200, 302))
  })

  const steps = fc.oneof(
    { weight: 4, arbitrary: fc.record({ forwards: fc.integer({ min: 0, max: 200 }) }) },
    { weight: 3, arbitrary: fc.record({ backwards: fc.integer({ min: 0, max: 200 }) }) },
    { weight: 1, arbitrary: fc.record({ anewAt: fc.integer({ min: 0, max: 1_999 }) }) },
    { weight: 4, arbitrary: fc.record({ query: queries }) },
  )

  it('is a window of the log whatever is done to it', () => {
    const limits = fc.constantFrom(1, 50, 128, 1_000)
    fc.assert(
      fc.property(limits, fc.array(steps, { maxLength: 30 }), (limit, all) => {
        const index = createReceiptIndex(sqlite, { limit })
        let [from, to] = [1_000, 1_000]
        for (const step of all) {
          if ('anewAt' in step) {
            index.clear()
            from = to = step.anewAt
          } else if ('forwards' in step) {
            const end = Math.min(log.length, to + step.forwards)
            index.add(log.slice(to, end))
            to = end
            if (to - from > limit + Math.floor(limit / 64)) from = to - limit
          } else if ('backwards' in step && to > from) {
            const begin = Math.max(0, from - step.backwards)
            index.add(log.slice(begin, from))
            from = Math.max(begin, Math.min(from, to - limit))
          } else if ('query' in step) {
            expect(index.propose(step.query)).toEqual(expected(step.query, from, to))
          }
          expect(index.from).toBe(to > from ? from : undefined)
        }
        index.clear()
      }),
      { numRuns: 150 },
    )
  })
})
