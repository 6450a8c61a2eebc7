import type { Crypto, Disk, ReceiptPage, ReceiptQuery, Stored } from '@helm-ai-kernel/core'
import { fits } from '@helm-ai-kernel/core/receipt'
import { createReader } from './reader.ts'
import { createRecent } from './recent.ts'
import { createWindow, type Window } from './window.ts'

/** How many of the newest receipts are kept whole in memory, about 4 kB each. */
const keptReceipts = 2048

/** The reading side: every receipt's slim row, the newest receipts, and the log for the rest. */
export interface View {
  readonly window: Window
  add(receipt: Stored): void
  read(from: number, to: number): Promise<readonly Stored[]>
  find(query: ReceiptQuery): Promise<ReceiptPage>
}

export function createView(
  disk: Disk,
  crypto: Crypto,
  ledgerId: string,
  segments: () => readonly number[],
): View {
  const window = createWindow()
  const recent = createRecent(keptReceipts)

  async function* each(logIndices: Iterable<number>): AsyncGenerator<Stored> {
    const read = createReader(disk, crypto, ledgerId, segments)
    for (const logIndex of logIndices) yield recent.get(logIndex) ?? (await read(logIndex))
  }

  return {
    window,
    add(receipt) {
      window.add(receipt)
      recent.add(receipt)
    },
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
