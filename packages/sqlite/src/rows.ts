import { type ReceiptQuery, type Scope, scopeKey, type Stored } from '@helm-ai-kernel/core'
import { scopeOfStatement } from '@helm-ai-kernel/core/receipt'
import { type Bloom, createBloom } from './bloom.ts'
import { columns, hashesOf, hashesWanted, idPrefix, scopeHash } from './columns.ts'
import { keyedHash } from './keyed-hash.ts'
import type { Sqlite, Statement, Value } from './sql-js.ts'

/**
 * Slim rows by log index. An SQL index on each column would take more time and memory than the rows;
 * instead each block of rows has a Bloom filter of its hashes, and a search scans the blocks that may
 * have all of its own.
 */
export interface Rows {
  insert(receipts: readonly Stored[]): void
  /** Log indices, ascending, of the first rows of `from` to before `to` that a query fixes. */
  search(query: ReceiptQuery, from: number, to: number, limit: number): readonly number[]
  /** The log index of the newest receipt of the scope up to this seq. */
  lastOf(scope: Scope, seq: number): number | undefined
  /** Time of a row, ms. */
  timeAt(logIndex: number): number
  deleteBefore(logIndex: number): void
  close(): void
}

const blockRows = 512

// Attached, since the main database of sql.js is a file in a file system in memory: slower, and twice
// the memory. Whoever uses the rows throws them away when anything fails, so there is no journal.
const schema = `
  ATTACH ':memory:' AS w;
  PRAGMA w.journal_mode = OFF;
  CREATE TABLE w.receipts (
    log_index INTEGER PRIMARY KEY, scope INTEGER, seq INTEGER, time INTEGER, id INTEGER,
    ${columns.map((name) => `${name} INTEGER`).join(', ')}
  );
  CREATE INDEX w.of_scope ON receipts (scope, seq);
`

export function createRows(sqlite: Sqlite): Rows {
  const db = sqlite.database()
  db.run(schema)
  const places = Array.from({ length: 5 + columns.length }, () => '?').join(', ')
  const insert = db.prepare(`INSERT INTO w.receipts VALUES (${places})`)
  const time = db.prepare('SELECT time FROM w.receipts WHERE log_index = ?')
  const last = db.prepare(
    'SELECT log_index FROM w.receipts WHERE scope = ? AND seq <= ? ORDER BY seq DESC LIMIT 1',
  )
  const remove = db.prepare('DELETE FROM w.receipts WHERE log_index < ?')
  const [key0, key1] = first(db.prepare('SELECT random() >> 32, random() >> 32')) ?? []
  const hash = keyedHash(Number(key0), Number(key1))
  const blooms = new Map<number, Bloom>()

  function bloomOf(block: number): Bloom {
    const bloom = blooms.get(block) ?? createBloom()
    blooms.set(block, bloom)
    return bloom
  }

  function* blocksWith(hashes: readonly number[], from: number, to: number): Generator<number> {
    for (let block = blockOf(from); block * blockRows < to; block++) {
      const bloom = bloomOf(block)
      if (hashes.every((one) => bloom.has(one))) yield block
    }
  }

  return {
    insert(receipts) {
      db.run('BEGIN')
      for (const { logIndex, receiptId, statement } of receipts) {
        const scope = scopeHash(scopeKey(scopeOfStatement(statement)), hash)
        const id = idPrefix(receiptId)
        const hashes = hashesOf(statement, hash)
        insert.run([logIndex, scope, statement.seq, Date.parse(statement.time), id, ...hashes])
        const bloom = bloomOf(blockOf(logIndex))
        bloom.add(scope)
        bloom.add(id)
        for (const one of hashes) if (one !== null) bloom.add(one)
      }
      db.run('COMMIT')
    },
    search(query, from, to, limit) {
      const wanted = [
        ['scope', scopeHash(scopeKey(query.scope), hash)] as const,
        ...(query.receiptId === undefined ? [] : [['id', idPrefix(query.receiptId)] as const]),
        ...hashesWanted(query, hash),
      ]
      const values = wanted.map(([, value]) => value)
      // Not by the index of the scope: that may be all of the window.
      const scan = db.prepare(
        `SELECT log_index FROM w.receipts NOT INDEXED WHERE log_index >= ? AND log_index < ? AND
         ${wanted.map(([column]) => `${column} = ?`).join(' AND ')} ORDER BY log_index LIMIT ?`,
      )
      const found: number[] = []
      for (const block of blocksWith(values, from, to)) {
        const begin = Math.max(from, block * blockRows)
        const end = Math.min(to, (block + 1) * blockRows)
        scan.bind([begin, end, ...values, limit - found.length])
        while (scan.step()) found.push(Number(scan.get()[0]))
        if (found.length === limit) break
      }
      scan.free()
      return found
    },
    lastOf(scope, seq) {
      const row = first(last, [scopeHash(scopeKey(scope), hash), seq])
      return row === undefined ? undefined : Number(row[0])
    },
    timeAt: (logIndex) => Number(first(time, [logIndex])?.[0]),
    deleteBefore(logIndex) {
      remove.run([logIndex])
      for (const block of blooms.keys()) if (block < blockOf(logIndex)) blooms.delete(block)
    },
    close: () => db.close(),
  }
}

function blockOf(logIndex: number): number {
  return Math.floor(logIndex / blockRows)
}

function first(statement: Statement, values: Value[] = []): readonly Value[] | undefined {
  statement.bind(values)
  const row = statement.step() ? statement.get() : undefined
  statement.reset()
  return row
}
