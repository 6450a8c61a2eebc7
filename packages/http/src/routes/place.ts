import { KernelError, type ReceiptStore, type Scope } from '@helm-ai-kernel/core'

/** Refuses a place that the scope has not come to: it is of another ledger. Throws `REQUEST_MALFORMED`. */
export async function checkPlace(receipts: ReceiptStore, scope: Scope, seq: number): Promise<void> {
  const newest = (await receipts.state()).scope(scope).seq
  if (seq <= newest) return
  const message = `it is of another ledger: this scope has ${newest} receipts; begin again without it`
  throw new KernelError('REQUEST_MALFORMED', message, { at: 'cursor' })
}
