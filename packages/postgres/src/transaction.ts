import { KernelError, scopeKey, type ScopeState, systemScope } from '@helm-ai-kernel/core'
import { arrayOf, hexArrayOf } from './array.ts'
import type { Batch, FullTile } from './batch.ts'
import {
  type Answer,
  type Client,
  type Outcome,
  type Row,
  sqlStateOf,
  type Statement,
} from './client.ts'
import { insertEntries } from './entry-row.ts'
import { bytesOf, numberOf } from './row.ts'
import type { Schema } from './schema.ts'
import { joinHashes, readScopes, readTip, scopeText, type Tip } from './tip.ts'

/** More leaves than these are not read under the lock. */
export const mostLeaves = 4096

// idle_in_transaction: a replica that stops in the middle must not stop the others.
const begin = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SET LOCAL synchronous_commit = on;
  SET LOCAL statement_timeout = 2000;
  SET LOCAL lock_timeout = 2000;
  SET LOCAL idle_in_transaction_session_timeout = 2000`

/** What was read while the tip is locked. */
export interface Locked {
  readonly tip: Tip
  /** States of the scopes asked for, and of helm/system; one that has no receipt is absent. */
  readonly scopes: Record<string, ScopeState>
  /** Leaf hashes from the log index asked for to the end, or the first `mostLeaves` of them. */
  readonly leaves: readonly Uint8Array[]
}

/** Begins a transaction and locks the tip: one flight of statements, one answer to wait for. */
export async function lockTip(
  client: Client,
  schema: Schema,
  scopes: Iterable<string>,
  leavesFrom: number,
): Promise<Locked> {
  const keys = arrayOf([...new Set([scopeKey(systemScope), ...scopes])])
  const outcomes = await client.send([
    { text: `${begin}; SELECT * FROM ${schema.tip} FOR UPDATE` },
    {
      text: `SELECT key, state FROM ${schema.scope} WHERE key = ANY($1::text[])`,
      parameters: [keys],
    },
    leavesAfter(schema, leavesFrom),
  ])
  const [tips, states, leaves] = outcomes.map(rowsOf)
  return {
    tip: tipOf(tips),
    scopes: readScopes(states ?? []),
    leaves: (leaves ?? []).map((row) => bytesOf(row, 'leaf')),
  }
}

export function leavesAfter({ entry }: Schema, from: number): Statement {
  const text = `SELECT leaf FROM ${entry} WHERE log_index >= $1 ORDER BY log_index LIMIT ${mostLeaves}`
  return { text, parameters: [from] }
}

export function tipOf(rows: readonly Row[] | undefined): Tip {
  const [row] = rows ?? []
  if (row === undefined) throw new KernelError('LEDGER_CORRUPT', 'the row of the tip is missing')
  return readTip(row)
}

/** Whether a transaction happened. */
export type Commit =
  { readonly is: 'committed' } | { readonly is: 'refused' | 'unknown'; readonly error: unknown }

/** Writes a batch, and a checkpoint when one is given, and commits: one flight. Never rejects. */
export async function commit(
  client: Client,
  schema: Schema,
  batch: Batch,
  touched: Iterable<string>,
  checkpoint: Uint8Array | undefined,
): Promise<Commit> {
  const writes: Statement[] = []
  if (batch.receipts.length > 0) {
    writes.push(insertEntries(schema, batch.receipts, batch.leaves))
    writes.push(...batch.tiles.map((tile) => insertTile(schema, tile)))
    writes.push(upsertScopes(schema, batch, touched))
  }
  writes.push(updateTip(schema, batch, checkpoint))
  const outcomes = await client.send([...writes, { text: 'COMMIT' }])
  return commitOf(outcomes)
}

export async function rollBack(client: Client): Promise<void> {
  await client.run({ text: 'ROLLBACK' })
}

/**
 * Whether the transaction of a batch happened, looked up by the digests of its entries under the lock:
 * what it was in held that lock, so it is over. Throws `LEDGER_CORRUPT` when part of it is there.
 */
export async function wasCommitted(
  client: Client,
  schema: Schema,
  { receipts }: Batch,
): Promise<boolean> {
  await lockTip(client, schema, [], Number.MAX_SAFE_INTEGER)
  const ids = hexArrayOf(receipts.map(({ receiptId }) => receiptId.slice(5)))
  const [row] = await client.run({
    text: `SELECT count(*)::int AS found FROM ${schema.entry} WHERE receipt_id = ANY($1::bytea[])`,
    parameters: [ids],
  })
  await rollBack(client)
  const found = numberOf(row, 'found')
  if (found !== 0 && found !== receipts.length) {
    throw new KernelError('LEDGER_CORRUPT', 'a part of a transaction is in the log')
  }
  return found > 0
}

function commitOf(outcomes: readonly Outcome[]): Commit {
  const last = outcomes.at(-1)
  const failed = outcomes.slice(0, -1).find((one) => one.status === 'rejected')
  if (last?.status === 'fulfilled' && last.value.command === 'COMMIT') {
    if (failed === undefined) return { is: 'committed' }
    const message = 'a transaction was committed without one of its statements'
    return { is: 'refused', error: new KernelError('LEDGER_CORRUPT', message) }
  }
  // INVARIANT: only the server's own no to a statement before COMMIT, or its ROLLBACK, is a no. Any
  // other end leaves open whether the commit happened.
  const isRefused = last?.status === 'fulfilled' || sqlStateOf(failed?.reason) !== undefined
  const error: unknown = failed?.reason ?? (last?.status === 'rejected' ? last.reason : undefined)
  return { is: isRefused ? 'refused' : 'unknown', error }
}

function insertTile({ tile, entry }: Schema, { level, index, root }: FullTile): Statement {
  // A tile is made of what the one level below has: leaves, or the hashes over 256 full tiles.
  const [hash, order, from] =
    level === 0
      ? ['leaf', 'log_index', `${entry} WHERE`]
      : ['root', 'index', `${tile} WHERE level = $1::int - 1 AND`]
  return {
    text: `INSERT INTO ${tile} (level, index, hashes, root)
      SELECT $1::int, $2::bigint, string_agg(${hash}, ''::bytea ORDER BY ${order}), $3::bytea
      FROM ${from} ${order} >= $2::bigint * 256 AND ${order} < ($2::bigint + 1) * 256`,
    parameters: [level, index, root],
  }
}

function upsertScopes({ scope }: Schema, { state }: Batch, touched: Iterable<string>): Statement {
  const { scopes } = state.fields()
  const changed = [...new Set(touched)].flatMap((key) => {
    const now = scopes[key]
    return now === undefined ? [] : [{ key, text: scopeText(now) }]
  })
  return {
    text: `INSERT INTO ${scope} AS old (key, state) SELECT * FROM unnest($1::text[], $2::text[])
      ON CONFLICT (key) DO UPDATE SET state = excluded.state WHERE old.state <> excluded.state`,
    parameters: [arrayOf(changed.map(({ key }) => key)), arrayOf(changed.map(({ text }) => text))],
  }
}

function updateTip(
  { tip, entry, channel }: Schema,
  { state, edge }: Batch,
  checkpoint: Uint8Array | undefined,
): Statement {
  const { size, time, key, successor, trust } = state.fields()
  const isNew = checkpoint !== undefined
  // INVARIANT: the tip is never beyond the entries: COMMIT is sent before it is known that they were
  // inserted, and a size that is NULL ends the transaction.
  const end = `(SELECT coalesce(max(log_index), -1) FROM ${entry})`
  return {
    text: `UPDATE ${tip} SET size = CASE WHEN ${end} = $1::bigint - 1 THEN $1::bigint END,
        edge = $2, time = $3, key = $4, successor = $5, trust = $6
      ${isNew ? ', checkpoint = $7, checkpoint_size = $1::bigint' : ''} WHERE one
      RETURNING pg_catalog.pg_notify('${channel.slice(1, -1)}', '')`,
    parameters: [
      size,
      joinHashes(edge.hashes),
      time,
      key ?? null,
      successor ?? null,
      trust === undefined ? null : JSON.stringify(trust),
      ...(isNew ? [checkpoint] : []),
    ],
  }
}

function rowsOf(outcome: Outcome): Answer['rows'] {
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value.rows
}
