import {
  KernelError,
  parseTimestamp,
  type ReceiptIndex,
  type ReceiptQuery,
} from '@helm-ai-kernel/core'
import { createRows, type Rows } from './rows.ts'
import type { Sqlite } from './sql-js.ts'

export interface ReceiptIndexOptions {
  /** Receipts that it holds, and up to one in 64 more: the oldest go many at a time. */
  readonly limit?: number
}

/** The window of slim rows over the newest receipts, in memory alone (design 4.1). */
export function createReceiptIndex(
  sqlite: Sqlite,
  { limit = 100_000 }: ReceiptIndexOptions = {},
): ReceiptIndex {
  let rows: Rows | undefined
  // INVARIANT: there is a row for each log index from `from` to before `to`, and no other.
  let from = 0
  let to = 0

  function clear(): void {
    rows?.close()
    // The next ones have another key for their hashes: texts that met by chance do so no more.
    rows = undefined
    from = 0
    to = 0
  }

  return {
    get from() {
      return from === to ? undefined : from
    },
    add(receipts) {
      const begin = receipts[0]?.logIndex
      if (begin === undefined) return
      const end = begin + receipts.length
      if (receipts.some(({ logIndex }, i) => logIndex !== begin + i)) {
        refuse(`the receipts from ${begin} on have a gap`)
      }
      const empty = from === to
      if (!empty && begin !== to && end !== from) {
        refuse(`receipts ${begin} to ${end - 1} do not touch the window, ${from} to ${to - 1}`)
      }
      const backwards = !empty && end === from
      const room = backwards ? Math.max(0, limit - (to - from)) : Infinity
      const fitting = receipts.slice(Math.max(0, receipts.length - room))
      try {
        rows ??= createRows(sqlite)
        rows.insert(fitting)
        if (empty) from = begin
        if (backwards) from -= fitting.length
        else to = end
        if (to - from > limit + Math.floor(limit / 64)) {
          from = to - limit
          rows.deleteBefore(from)
        }
      } catch (error) {
        // The database has no journal: what is left of it after a failure is of no use.
        clear()
        throw error
      }
    },
    propose(query) {
      if (rows === undefined) return []
      const [begin, end] = bounds(rows, query, from, to)
      return rows.search(query, begin, end, query.limit + 1)
    },
    clear,
  }
}

/** Where what fits a query can be: seq and time never fall within a ledger (design 2.6). */
function bounds(
  rows: Rows,
  query: ReceiptQuery,
  from: number,
  to: number,
): readonly [from: number, to: number] {
  const seen = query.afterSeq === undefined ? undefined : rows.lastOf(query.scope, query.afterSeq)
  const after = parseTimestamp(query.from ?? '')
  const until = parseTimestamp(query.to ?? '')
  const begin = seen === undefined ? from : seen + 1
  return [
    after === undefined ? begin : Math.max(begin, firstAt(rows, after, from, to)),
    until === undefined ? to : firstAt(rows, until + 1, from, to),
  ]
}

/** The first row whose time is `time` or later. */
function firstAt(rows: Rows, time: number, from: number, to: number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (rows.timeAt(middle) < time) low = middle + 1
    else high = middle
  }
  return low
}

function refuse(message: string): never {
  throw new KernelError('INTERNAL', message)
}
