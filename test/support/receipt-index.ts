import { fits, type ReceiptIndex, type ReceiptQuery, type Stored } from '@helm-ai-kernel/core'

export interface FakeIndex extends ReceiptIndex {
  /** Log indices it holds. */
  held(): readonly number[]
  /** What it is asked, so far. */
  readonly queries: readonly ReceiptQuery[]
}

/** An index of so many receipts that is honest, but for what `lie` makes of its proposals. */
export function fakeIndex(
  limit: number,
  lie: (proposals: readonly number[]) => readonly number[] = (honest) => honest,
): FakeIndex {
  let rows: readonly Stored[] = []
  const queries: ReceiptQuery[] = []
  return {
    queries,
    get from() {
      return rows[0]?.logIndex
    },
    held: () => rows.map(({ logIndex }) => logIndex),
    add(receipts) {
      const [first] = receipts
      const last = receipts.at(-1)
      if (first === undefined || last === undefined) return
      const follows = rows.length === 0 || first.logIndex === (rows.at(-1)?.logIndex ?? 0) + 1
      const precedes = last.logIndex + 1 === rows[0]?.logIndex
      if (!follows && !precedes) throw new Error(`${first.logIndex} neither follows nor precedes`)
      rows = (precedes ? [...receipts, ...rows] : [...rows, ...receipts]).slice(-limit)
    },
    propose(query) {
      queries.push(query)
      const fitting = rows.filter(
        (row) => row.statement.seq > (query.afterSeq ?? 0) && fits(query, row),
      )
      return lie(fitting.slice(0, query.limit + 1).map(({ logIndex }) => logIndex))
    },
    clear: () => void (rows = []),
  }
}
