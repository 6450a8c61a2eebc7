import type { Crypto, Disk, ReceiptPage, ReceiptQuery, Stored } from '@helm-ai-kernel/core'
import { fits } from '@helm-ai-kernel/core/receipt'
import { createReader } from './reader.ts'
import type { Recent } from './recent.ts'
import type { Window } from './window.ts'

export interface ViewOptions {
  readonly disk: Disk
  readonly crypto: Crypto
  readonly ledgerId: string
  readonly window: Window
  readonly recent: Recent
  /** Log indices at which segments begin, ascending; asked whenever one is read. */
  readonly segments: () => readonly number[]
}

/** The reading side: the newest receipts from memory, the others from the log. */
export interface View {
  readonly read: (from: number, to: number) => Promise<readonly Stored[]>
  readonly find: (query: ReceiptQuery) => Promise<ReceiptPage>
}

export function createView(options: ViewOptions): View {
  const { disk, crypto, ledgerId, window, recent, segments } = options

  async function* each(logIndices: Iterable<number>): AsyncGenerator<Stored> {
    const read = createReader(disk, crypto, ledgerId, segments)
    for (const logIndex of logIndices) yield recent.get(logIndex) ?? (await read(logIndex))
  }

  return {
    async read(from, to) {
      const found: Stored[] = []
      for await (const receipt of each(count(from, Math.min(to, window.size)))) found.push(receipt)
      return found
    },
    async find(query) {
      const receipts: Stored[] = []
      for await (const receipt of each(window.propose(query))) {
        if (!fits(query, receipt)) continue
        if (receipts.length === query.limit) return { receipts, hasMore: true }
        receipts.push(receipt)
      }
      return { receipts, hasMore: false }
    },
  }
}

function* count(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i
}
