export { createReceiptIndex, type ReceiptIndexOptions } from './receipt-index.ts'
export { type Imports, openSqlite, type Sqlite, type SqliteOptions } from './sql-js.ts'
export { importStore, sqliteStore, type SqliteStore } from './sqlite-store.ts'
