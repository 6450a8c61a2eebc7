import {
  type Crypto,
  decodeHex,
  type ReceiptPage,
  type ReceiptQuery,
  scopeKey,
} from '@helm-ai-kernel/core'
import { columnText } from './array.ts'
import type { Parameter } from './client.ts'
import { entryColumns, readEntry } from './entry-row.ts'
import { numberOf } from './row.ts'
import type { Schema } from './schema.ts'
import type { Ask } from './tiles.ts'

/** Of a scope so many receipts, at most, are looked at for one page. */
const mostScanned = 100_000
/** More than these are never in one page, whatever was asked. */
const mostFound = 1000

/** Columns that are compared as they are. */
const columns = {
  kind: 'kind',
  verdict: 'verdict',
  reasonCode: 'reason_code',
  principal: 'principal',
  action: 'action',
  resource: 'resource',
  sessionId: 'session_id',
} as const satisfies Partial<Record<keyof ReceiptQuery, string>>

/** One page, by the key (scope, seq); complete as far as `scannedTo`, or to the end without it. */
export async function findReceipts(
  ask: Ask,
  crypto: Crypto,
  schema: Schema,
  query: ReceiptQuery,
): Promise<ReceiptPage> {
  const limit = Math.min(query.limit, mostFound)
  const scope = scopeKey(query.scope)
  const after = Math.max(query.afterSeq ?? 0, await seqBefore(ask, schema, scope, query.from))
  const until = after + mostScanned
  const parameters: Parameter[] = [scope, after, until, limit + 1]
  const conditions = ['scope = $1', 'seq > $2', 'seq <= $3']
  const where = (condition: string, value: Parameter) => {
    conditions.push(condition.replace('?', `$${parameters.push(value)}`))
  }
  for (const [name, column] of Object.entries(columns)) {
    const value = query[name as keyof typeof columns]
    if (value !== undefined) where(`${column} = ?`, columnText(value))
  }
  if (query.receiptId !== undefined) {
    where('receipt_id = ?', decodeHex(query.receiptId.slice(5), 32, 'a receipt id'))
    // Found by its own index, wherever it is.
    conditions[2] = '$3::bigint IS NOT NULL'
  }
  if (query.from !== undefined) where('time >= ?', Date.parse(query.from))
  if (query.to !== undefined) where('time <= ?', Date.parse(query.to))
  const rows = await ask({
    text: `SELECT ${entryColumns} FROM ${schema.entry} WHERE ${conditions.join(' AND ')}
      ORDER BY seq LIMIT $4`,
    parameters,
    prepare: false,
  })
  const receipts = rows.slice(0, limit).map((row) => readEntry(crypto, row))
  if (rows.length > limit) return { receipts, hasMore: true }
  if (query.receiptId !== undefined || (await lastSeq(ask, schema, scope)) <= until) {
    return { receipts, hasMore: false }
  }
  return { receipts, hasMore: true, scannedTo: until }
}

/** The seq before the first receipt of a time: within a scope time never falls. */
async function seqBefore(
  ask: Ask,
  { entry }: Schema,
  scope: string,
  from: string | undefined,
): Promise<number> {
  if (from === undefined) return 0
  const [row] = await ask({
    text: `SELECT coalesce((SELECT seq - 1 FROM ${entry} WHERE scope = $1 AND time >= $2
        ORDER BY time, seq LIMIT 1), 0) AS seq`,
    parameters: [scope, Date.parse(from)],
  })
  return numberOf(row, 'seq')
}

async function lastSeq(ask: Ask, { entry }: Schema, scope: string): Promise<number> {
  const [row] = await ask({
    text: `SELECT coalesce(max(seq), 0) AS seq FROM ${entry} WHERE scope = $1`,
    parameters: [scope],
  })
  return numberOf(row, 'seq')
}
