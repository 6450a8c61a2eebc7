import {
  fits,
  type LedgerState,
  page,
  type ReceiptPage,
  type ReceiptQuery,
  scopeKey,
  type Stored,
} from '@helm-ai-kernel/core'
import { type ReceiptId, receiptIdOf } from '@helm-ai-kernel/core/receipt'
import type { IndexFeed } from './index-feed.ts'
import { placesLike, placesOf } from './places.ts'
import { prefixOf } from './position.ts'
import type { Positions } from './positions.ts'
import { createReader, type Reader, receiptsInTurn } from './reader.ts'
import type { LogSource } from './read-log.ts'
import type { Recent } from './recent.ts'

export interface SearchOptions {
  readonly source: LogSource
  readonly recent: Recent
  readonly positions: Positions
  /** Of everything that may be found. */
  readonly state: LedgerState
  /** Lets others run. */
  readonly turn: () => Promise<void>
  readonly index?: IndexFeed | undefined
}

/** The reading side: the newest receipts from memory, the others from the log. */
export interface Search {
  readonly read: (from: number, to: number) => Promise<readonly Stored[]>
  readonly find: (query: ReceiptQuery) => Promise<ReceiptPage>
}

/** So many receipts of the scope are looked at where no index helps; then it is said how far. */
const mostScanned = 20_000

/** What a question finds when the positions or the index lie: it is asked again without them. */
const misled = undefined

export function createSearch(options: SearchOptions): Search {
  const { source, recent, positions, state, turn, index } = options

  /** Decodings since others ran. */
  let decoded = 0

  async function read(reader: Reader, logIndex: number): Promise<Stored> {
    const known = recent.get(logIndex)
    if (known !== undefined) return known
    if (++decoded % receiptsInTurn === 0) await turn()
    return reader.receipt(logIndex)
  }

  /** The receipts of the query's scope after its `afterSeq`, before log index `until`, in order. */
  async function* receiptsOf(
    { scope, afterSeq = 0 }: ReceiptQuery,
    until: number,
  ): AsyncGenerator<Stored | typeof misled> {
    const number = positions.scopes.find(scopeKey(scope))
    if (number === undefined) return
    const reader = createReader(source)
    const { seq: newest } = state.scope(scope)
    const atEnd = until === state.size
    let seq = afterSeq
    // A receipt's seq is at most its log index + 1.
    if (!positions.good) {
      for (let at = afterSeq; at < until; at++) {
        const receipt = await read(reader, at)
        if (positions.scopes.of(receipt) === number && receipt.statement.seq > afterSeq) {
          yield receipt
        }
      }
      return
    }
    for await (const place of placesOf(positions, number, afterSeq, until)) {
      if (place.seq <= afterSeq) continue
      const receipt = await read(reader, place.logIndex)
      // INVARIANT: a scope's receipts come without a gap, whatever the positions say.
      const isNext = place.seq === ++seq && receipt.statement.seq === seq
      if (!isNext || positions.scopes.of(receipt) !== number) yield misled
      yield receipt
    }
    if (atEnd && seq < newest) yield misled
  }

  async function byId(query: ReceiptQuery, id: ReceiptId): Promise<ReceiptPage | typeof misled> {
    const reader = createReader(source)
    const { size } = state
    if (positions.good) {
      for await (const logIndex of placesLike(positions, prefixOf(id), size)) {
        const receipt = await read(reader, logIndex)
        if (receipt.receiptId === id) return pageOf(query, receipt)
        if (prefixOf(receipt.receiptId).join() !== prefixOf(id).join()) return misled
      }
      return pageOf(query)
    }
    for (let at = size - 1; at >= 0; at--) {
      const entry = recent.get(at)?.entry ?? (await reader.entry(at))
      if (receiptIdOf(source.crypto.sha256(entry)) !== id) continue
      return pageOf(query, await read(reader, at))
    }
    return pageOf(query)
  }

  /** All of a scope, or what fits the filters, up to a limit of looking. */
  async function scan(
    query: ReceiptQuery,
    until: number,
    most: number,
  ): Promise<ReceiptPage | typeof misled> {
    const receipts: Stored[] = []
    let left = most
    let scannedTo = query.afterSeq ?? 0
    for await (const receipt of receiptsOf(query, until)) {
      if (receipt === misled) return misled
      if (left-- === 0) return { receipts, hasMore: true, scannedTo }
      if (fits(query, receipt)) {
        if (receipts.length === query.limit) return { receipts, hasMore: true }
        receipts.push(receipt)
      }
      scannedTo = receipt.statement.seq
    }
    return { receipts, hasMore: false, scannedTo }
  }

  async function proposed(
    query: ReceiptQuery,
    feed: IndexFeed,
    from: number,
  ): Promise<ReceiptPage | typeof misled> {
    const reader = createReader(source)
    const receipts: Stored[] = []
    let last = from - 1
    for (const logIndex of feed.propose(query)) {
      if (logIndex <= last || logIndex >= state.size) return misled
      last = logIndex
      const receipt = await read(reader, logIndex)
      if (receipt.statement.seq <= (query.afterSeq ?? 0) || !fits(query, receipt)) return misled
      if (receipts.length === query.limit) return { receipts, hasMore: true }
      receipts.push(receipt)
    }
    return { receipts, hasMore: false }
  }

  async function filtered(query: ReceiptQuery): Promise<ReceiptPage | typeof misled> {
    const from = index?.from()
    if (index === undefined || from === undefined) {
      return scan(query, state.size, mostScanned)
    }
    const below = await scan(query, from, mostScanned)
    if (below === misled) return misled
    const { receipts, hasMore, scannedTo = 0 } = below
    const known = scannedTo > (query.afterSeq ?? 0) ? { indexFrom: from } : {}
    if (hasMore) return { ...below, ...known }
    const rest = { ...query, afterSeq: scannedTo, limit: query.limit - receipts.length }
    const above = await proposed(rest, index, from)
    if (above !== misled) {
      return { receipts: [...receipts, ...above.receipts], hasMore: above.hasMore, ...known }
    }
    index.distrust()
    return scan(query, state.size, mostScanned)
  }

  function answer(query: ReceiptQuery): Promise<ReceiptPage | typeof misled> {
    if (query.receiptId !== undefined) return byId(query, query.receiptId)
    return isFiltered(query) ? filtered(query) : scan(query, state.size, Infinity)
  }

  return {
    async read(from, to) {
      const reader = createReader(source)
      const found: Stored[] = []
      for (let at = from; at < Math.min(to, state.size); at++) found.push(await read(reader, at))
      return found
    },
    async find(query) {
      for (;;) {
        const found = await answer(query)
        if (found !== misled) return tidy(found)
        positions.distrust()
      }
    },
  }
}

function isFiltered({ scope, afterSeq, limit, ...filters }: ReceiptQuery): boolean {
  return Object.keys(filters).length > 0
}

function pageOf(query: ReceiptQuery, receipt?: Stored): ReceiptPage {
  return page(query, receipt === undefined ? [] : [receipt])
}

/** Where a scan stood is news only when it is beyond what it found and did not reach the end. */
function tidy({ scannedTo = 0, ...found }: ReceiptPage): ReceiptPage {
  const last = found.receipts.at(-1)?.statement.seq ?? 0
  return found.hasMore && scannedTo > last ? { ...found, scannedTo } : found
}
