import type { ReceiptQuery, Statement } from '@helm-ai-kernel/core'
import type { KeyedHash } from './keyed-hash.ts'

/** What `ReceiptQuery` may ask of a statement, and the statement's member: a column each. */
const filters = {
  kind: 'kind',
  verdict: 'verdict',
  reasonCode: 'reason_code',
  principal: 'principal',
  action: 'action',
  resource: 'resource',
  sessionId: 'session_id',
} as const satisfies Partial<Record<keyof ReceiptQuery, string>>

export const columns: readonly string[] = Object.values(filters)
const queries = Object.keys(filters) as readonly (keyof typeof filters)[]

/** The texts of a statement as hashes, in the order of `columns`; null where it has no such member. */
export function hashesOf(statement: Statement, hash: KeyedHash): (number | null)[] {
  const members = statement as unknown as Readonly<Record<string, unknown>>
  return columns.map((name, i) => {
    const text = members[name]
    return typeof text === 'string' ? hash(text, i) : null
  })
}

/** What a query fixes: columns and their hashes. */
export function hashesWanted(
  query: ReceiptQuery,
  hash: KeyedHash,
): readonly (readonly [column: string, hash: number])[] {
  return queries.flatMap((name, i) => {
    const text = query[name]
    return text === undefined ? [] : [[filters[name], hash(text, i)] as const]
  })
}

/** The scope's own hash; no column of a member has its tweak. */
export function scopeHash(key: string, hash: KeyedHash): number {
  return hash(key, columns.length)
}

/** The first 48 bits of a receipt id, which is a digest. */
export function idPrefix(receiptId: string): number {
  return Number.parseInt(receiptId.slice('rcpt-'.length, 'rcpt-'.length + 12), 16)
}
