import {
  type Crypto,
  isKernelError,
  KernelError,
  scopeKey,
  type Stored,
} from '@helm-ai-kernel/core'
import {
  decodeEntry,
  isReceiptId,
  receiptIdOf,
  scopeOfStatement,
} from '@helm-ai-kernel/core/receipt'
import { arrayOf, columnText, hexArrayOf } from './array.ts'
import type { Parameter, Row, Statement } from './client.ts'
import { bytesOf, numberOf } from './row.ts'
import type { Schema } from './schema.ts'
import { joinHashes } from './tip.ts'

/** Columns that every reader of receipts asks for. */
export const entryColumns = 'log_index, entry, receipt_id'

/** Calls of these surfaces get an outcome receipt. */
const resolving: ReadonlySet<unknown> = new Set(['proxy', 'mcp'])

/**
 * A receipt of the log as it was stored. Throws `LEDGER_CORRUPT` when the row is not what was written:
 * the digest of an entry names it.
 */
export function readEntry(crypto: Crypto, row: Row): Stored {
  const logIndex = numberOf(row, 'log_index')
  const entry = bytesOf(row, 'entry')
  const receiptId = receiptIdOf(crypto.sha256(entry))
  try {
    if (receiptIdOf(bytesOf(row, 'receipt_id')) === receiptId) {
      const { statement, payload } = decodeEntry(entry)
      return Object.freeze({ entry, payload, receiptId, statement, logIndex })
    }
  } catch (error) {
    if (!isKernelError(error)) throw error
  }
  throw new KernelError(
    'LEDGER_CORRUPT',
    `entry ${logIndex} in the database is not what was written: it was changed`,
  )
}

/** One statement that inserts all. Entries and leaf hashes go as one byte string each, cut by the server. */
export function insertEntries(
  { entry }: Schema,
  receipts: readonly Stored[],
  leaves: readonly Uint8Array[],
): Statement {
  const lengths = receipts.map((receipt) => receipt.entry.length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  const starts: number[] = []
  let at = 0
  for (const receipt of receipts) {
    bytes.set(receipt.entry, at)
    starts.push(at + 1)
    at += receipt.entry.length
  }
  const members = receipts.map(({ statement }): Readonly<Record<string, unknown>> => ({
    ...statement,
  }))
  const member = (name: string): Parameter =>
    arrayOf(
      members.map(({ [name]: value }) =>
        typeof value === 'string' ? columnText(value) : undefined,
      ),
    )
  return {
    text: `INSERT INTO ${entry} (log_index, entry, receipt_id, leaf, scope, seq, time, kind,
        verdict, reason_code, principal, action, resource, session_id, decision, awaits)
      SELECT log_index, substring($1::bytea FROM start FOR length), receipt_id,
        substring($2::bytea FROM (32 * (number - 1) + 1)::int FOR 32), scope, seq, time, kind,
        verdict, reason_code, principal, action, resource, session_id, decision, awaits
      FROM unnest($3::bigint[], $4::int[], $5::int[], $6::bytea[], $7::text[], $8::bigint[],
        $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
        $16::text[], $17::bytea[], $18::boolean[]) WITH ORDINALITY
        AS one (log_index, start, length, receipt_id, scope, seq, time, kind, verdict, reason_code,
          principal, action, resource, session_id, decision, awaits, number)`,
    parameters: [
      bytes,
      joinHashes(leaves),
      arrayOf(receipts.map(({ logIndex }) => logIndex)),
      arrayOf(starts),
      arrayOf(lengths),
      hexArrayOf(receipts.map(({ receiptId }) => receiptId.slice(5))),
      arrayOf(receipts.map(({ statement }) => scopeKey(scopeOfStatement(statement)))),
      arrayOf(receipts.map(({ statement }) => statement.seq)),
      arrayOf(receipts.map(({ statement }) => Date.parse(statement.time))),
      member('kind'),
      member('verdict'),
      member('reason_code'),
      member('principal'),
      member('action'),
      member('resource'),
      member('session_id'),
      hexArrayOf(receipts.map(decisionOf)),
      arrayOf(receipts.map(awaits)),
    ],
  }
}

/** Hex of the decision's digest, where the receipt is the outcome of one. */
function decisionOf({ statement }: Stored): string | undefined {
  if (statement.kind !== 'outcome' || !isReceiptId(statement.links.decision)) return undefined
  return statement.links.decision.slice(5)
}

function awaits({ statement }: Stored): boolean {
  return (
    statement.kind === 'decision' &&
    statement.verdict === 'ALLOW' &&
    resolving.has(statement.surface)
  )
}
