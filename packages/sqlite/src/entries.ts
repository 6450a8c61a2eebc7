import { KernelError, type LedgerIdentity, messageOf, type Stored } from '@helm-ai-kernel/core'
import { decodeEntry, isReceiptId } from '@helm-ai-kernel/core/receipt'
import type { Database, Sqlite, Value } from './sql-js.ts'

/** The entries of a ledger in a database. */
export interface Entries {
  readonly identity: LedgerIdentity | undefined
  /** All of them or, when it throws `LEDGER_FULL`, none. */
  insert(receipts: readonly Stored[]): void
  /** By log index, `from` inclusive, `to` exclusive. Throws `RECEIPT_MALFORMED`. */
  range(from: number, to: number): Generator<Stored>
  export(): Uint8Array
  close(): void
}

// `HELM` in the header of the database file, and the version of this schema.
const applicationId = 0x48454c4d
const version = 1

const schema = `
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${version};
  CREATE TABLE identity (ledger_id TEXT NOT NULL, origin TEXT NOT NULL);
  CREATE TABLE entries (
    log_index INTEGER PRIMARY KEY, receipt_id TEXT NOT NULL, entry BLOB NOT NULL
  );
`

export function createEntries(sqlite: Sqlite, identity?: LedgerIdentity): Entries {
  const db = sqlite.database()
  db.run(schema)
  if (identity !== undefined) {
    insertAll(db, 'INSERT INTO identity VALUES (?, ?)', [[identity.ledgerId, identity.origin]])
  }
  return entriesIn(db, identity)
}

/** The entries of a database file. Throws `LEDGER_CORRUPT` when it is not one of these. */
export function openEntries(sqlite: Sqlite, bytes: Uint8Array): Entries {
  let db: Database | undefined
  try {
    db = sqlite.database(bytes)
    return entriesIn(db, identityIn(db))
  } catch (cause) {
    db?.close()
    const message = `this is no exported ledger: ${messageOf(cause)}`
    throw new KernelError('LEDGER_CORRUPT', message, { cause })
  }
}

function identityIn(db: Database): LedgerIdentity {
  const [application] = [...select(db, 'PRAGMA application_id')].flat()
  if (application !== applicationId) throw new Error('it is of another application')
  const [made] = [...select(db, 'PRAGMA user_version')].flat()
  if (made !== version) throw new Error(`it has version ${String(made)}, this is ${version}`)
  const [ledgerId, origin] = [...select(db, 'SELECT ledger_id, origin FROM identity')].flat()
  if (typeof ledgerId !== 'string' || typeof origin !== 'string') {
    throw new Error('it has no identity')
  }
  return { ledgerId, origin }
}

function entriesIn(db: Database, identity: LedgerIdentity | undefined): Entries {
  return {
    identity,
    insert(receipts) {
      const values = receipts.map(({ logIndex, receiptId, entry }) => [logIndex, receiptId, entry])
      try {
        insertAll(db, 'INSERT INTO entries VALUES (?, ?, ?)', values)
      } catch (cause) {
        const message = `the database in memory takes no more: ${messageOf(cause)}`
        throw new KernelError('LEDGER_FULL', message, { cause })
      }
    },
    *range(from, to) {
      const sql = 'SELECT * FROM entries WHERE log_index >= ? AND log_index < ? ORDER BY log_index'
      for (const row of select(db, sql, [from, to])) yield storedIn(row)
    },
    export() {
      if (identity !== undefined) return db.export()
      const message = 'a ledger without an identity cannot be taken up again: give sqliteStore one'
      throw new KernelError('LEDGER_MISSING', message)
    },
    close: () => db.close(),
  }
}

function storedIn([logIndex, receiptId, entry]: readonly Value[]): Stored {
  if (typeof logIndex !== 'number' || !isReceiptId(receiptId) || !(entry instanceof Uint8Array)) {
    throw new KernelError('RECEIPT_MALFORMED', 'a row of this database is no entry')
  }
  const { statement, payload } = decodeEntry(entry)
  return Object.freeze({ entry, payload, receiptId, statement, logIndex })
}

function* select(db: Database, sql: string, values: Value[] = []): Generator<Value[]> {
  const statement = db.prepare(sql)
  try {
    statement.bind(values)
    while (statement.step()) yield statement.get()
  } finally {
    statement.free()
  }
}

function insertAll(db: Database, sql: string, rows: readonly Value[][]): void {
  const statement = db.prepare(sql)
  try {
    db.run('BEGIN')
    for (const values of rows) statement.run(values)
    db.run('COMMIT')
  } catch (error) {
    db.run('ROLLBACK')
    throw error
  } finally {
    statement.free()
  }
}
