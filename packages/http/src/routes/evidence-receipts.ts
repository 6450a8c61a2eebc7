import {
  KernelError,
  type ReceiptStore,
  type Scope,
  scopeKey,
  type Stored,
  systemScope,
} from '@helm-ai-kernel/core'
import { maxReceipts } from '@helm-ai-kernel/core/evidence'
import { type ExportRequest, tooMany } from './evidence-request.ts'

const pageSize = 1000

/**
 * The receipts of a range that are in the tree of `size` entries. Without a filter a store reads its
 * ledger, so this is complete. Throws `NOT_FOUND`, `REQUEST_MALFORMED` (beyond the end) or `TOO_LARGE`.
 */
export async function receiptsOf(
  receipts: ReceiptStore,
  scope: Scope,
  { from, to = Infinity }: Pick<ExportRequest, 'from' | 'to'>,
  size: number,
): Promise<readonly Stored[]> {
  const found: Stored[] = []
  for await (const receipt of scan(receipts, scope, from - 1)) {
    if (receipt.statement.seq > to || receipt.logIndex >= size) break
    if (found.length === maxReceipts) throw tooMany()
    found.push(receipt)
  }
  const last = found.at(-1)?.statement.seq
  if (last === undefined) {
    throw new KernelError(
      'NOT_FOUND',
      `${scopeKey(scope)} has no receipt from seq ${from} in the tree of ${size} entries`,
    )
  }
  if (to !== Infinity && last < to) {
    throw new KernelError(
      'REQUEST_MALFORMED',
      `the last receipt in the tree of ${size} entries is seq ${last}; newer ones follow in a second`,
      { at: 'to' },
    )
  }
  return found
}

/** Every `key` receipt of the ledger, in the order of the log. */
export async function keyReceiptsOf(receipts: ReceiptStore): Promise<readonly Stored[]> {
  const found: Stored[] = []
  for await (const receipt of scan(receipts, systemScope, 0)) {
    if (receipt.statement.kind === 'key') found.push(receipt)
  }
  return found
}

/** Receipts of a scope after a seq, page by page. */
async function* scan(
  receipts: ReceiptStore,
  scope: Scope,
  after: number,
): AsyncGenerator<Stored, void> {
  for (let afterSeq = after; ;) {
    const page = await receipts.find({ scope, afterSeq, limit: pageSize })
    yield* page.receipts
    const last = page.receipts.at(-1)
    if (!page.hasMore || last === undefined) return
    afterSeq = last.statement.seq
  }
}
