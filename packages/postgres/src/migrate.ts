import { KernelError, messageOf } from '@helm-ai-kernel/core'
import { type Client, sqlStateOf, statementMs } from './client.ts'
import { migrations } from './migrations.ts'
import { numberOf } from './row.ts'
import { mark, type Schema } from './schema.ts'

/** Of all replicas one migrates at a time: the first 8 bytes, as a number, of `helm-mig`. */
const lockNumber = '7522537968761661799'
const deadlineMs = 120_000

/** What is in the schema. */
export type Found = { readonly kind: 'none' } | { readonly kind: 'ours'; readonly version: number }

/**
 * Looks what the schema holds. Changes nothing. Throws `CONFIG_INVALID` when it is somebody else's, or
 * of a version that this one does not know.
 */
export async function inspect(client: Client, schema: Schema): Promise<Found> {
  // Of the catalog everybody may read all, also of a schema that may not be used.
  const [row] = await client.run({
    text: `SELECT count(*)::int AS relations, max(pg_catalog.obj_description(c.oid, 'pg_class'))
        FILTER (WHERE relname = 'migration') AS mark
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
      WHERE nspname = $1`,
    parameters: [schema.name],
  })
  if (row?.['mark'] !== mark) {
    if (row?.['relations'] === 0) return { kind: 'none' }
    throw new KernelError(
      'CONFIG_INVALID',
      `the schema ${schema.name} of the database holds tables that are not a ledger's: ` +
        'give the ledger a database of its own',
    )
  }
  const [applied] = await client.run({
    text: `SELECT coalesce(max(version), 0) AS version FROM ${schema.migration}`,
  })
  const version = numberOf(applied, 'version')
  if (version > migrations.length) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the database has version ${version} of the ledger's tables, this kernel knows ` +
        `${migrations.length}: run the newer kernel that made it`,
    )
  }
  return { kind: 'ours', version }
}

/** What to do when the role lacks a privilege. Other errors are given back as they are. */
export function explained(error: unknown): unknown {
  if (sqlStateOf(error) !== '42501') return error
  return new KernelError(
    'CONFIG_INVALID',
    `the role of DATABASE_URL may not do what the ledger needs: ${messageOf(error)}; ` +
      'let it own the schema, or make the tables with `migratePostgres` and grant it what that says',
    { cause: error },
  )
}

/** Brings the schema to the version that this kernel knows; nothing is done when it is. */
export async function migrate(client: Client, schema: Schema): Promise<void> {
  const found = await inspect(client, schema)
  if (found.kind === 'ours' && found.version === migrations.length) return
  await client.run({ text: `SET statement_timeout = ${deadlineMs}` })
  const lock = `BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(${lockNumber})`
  await client.run({ text: lock }, deadlineMs)
  // Somebody else may have done it while this one waited.
  const now = await inspect(client, schema)
  if (now.kind === 'none') {
    await client.run({ text: `CREATE SCHEMA IF NOT EXISTS "${schema.name}"` })
  }
  for (const [i, statements] of migrations.entries()) {
    if (now.kind === 'ours' && i < now.version) continue
    await client.run({ text: statements(schema) }, deadlineMs)
    const insert = `INSERT INTO ${schema.migration} (version) VALUES ($1)`
    await client.run({ text: insert, parameters: [i + 1] })
  }
  await client.run({ text: 'COMMIT' })
  await client.run({ text: `SET statement_timeout = ${statementMs}` })
}
