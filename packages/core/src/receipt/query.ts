import type { ReceiptPage, ReceiptQuery, Stored } from '../ports/receipt-store.ts'

/** Whether a receipt fits every member of a query that is given; `afterSeq` and `limit` apart. */
export function fits(query: ReceiptQuery, { statement, receiptId }: Stored): boolean {
  const { scope } = query
  if (statement.scope.tenant_id !== scope.tenantId) return false
  if (statement.scope.workspace_id !== scope.workspaceId) return false
  if (query.receiptId !== undefined && query.receiptId !== receiptId) return false
  if (query.kind !== undefined && query.kind !== statement.kind) return false
  if (query.from !== undefined && statement.time < query.from) return false
  if (query.to !== undefined && statement.time > query.to) return false
  const members: Readonly<Record<string, unknown>> = { ...statement }
  return (
    fitsMember(query.verdict, members['verdict']) &&
    fitsMember(query.reasonCode, members['reason_code']) &&
    fitsMember(query.principal, members['principal']) &&
    fitsMember(query.action, members['action']) &&
    fitsMember(query.resource, members['resource']) &&
    fitsMember(query.sessionId, members['session_id'])
  )
}

/** One page of a query over receipts in log order: oldest first, from `afterSeq` on. */
export function page(query: ReceiptQuery, receipts: Iterable<Stored>): ReceiptPage {
  const found: Stored[] = []
  for (const receipt of receipts) {
    if (receipt.statement.seq <= (query.afterSeq ?? 0) || !fits(query, receipt)) continue
    if (found.length === query.limit) return { receipts: found, hasMore: true }
    found.push(receipt)
  }
  return { receipts: found, hasMore: false }
}

function fitsMember(wanted: string | undefined, member: unknown): boolean {
  return wanted === undefined || wanted === member
}
