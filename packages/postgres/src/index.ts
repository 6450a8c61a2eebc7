export { type Database, parseDatabaseUrl, type TlsMode } from './database-url.ts'
export {
  openPostgres,
  type PostgresLedger,
  type PostgresOptions,
  type Remembered,
} from './ledger.ts'
export { type MigrateOptions, migratePostgres } from './prepare.ts'
