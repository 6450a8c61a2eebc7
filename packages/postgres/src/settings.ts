import { KernelError } from '@helm-ai-kernel/core'
import type { Client } from './client.ts'
import { numberOf } from './row.ts'
import type { Schema } from './schema.ts'

const oldest = 14

/**
 * Whether this server may hold a ledger: new enough, and with a disk it waits for. Gives what an
 * operator should know. Throws `CONFIG_INVALID`, or `LEDGER_UNAVAILABLE` for a standby.
 */
export async function checkServer(client: Client): Promise<readonly string[]> {
  const [row] = await client.run({
    text: `SELECT
        current_setting('server_version_num')::int AS version,
        current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes,
        current_setting('synchronous_standby_names') AS standbys,
        current_setting('transaction_read_only') AS read_only,
        pg_catalog.pg_is_in_recovery() AS standby`,
  })
  const version = Math.floor(numberOf(row, 'version') / 10_000)
  if (version < oldest) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the database is PostgreSQL ${version}: use ${oldest} or newer`,
    )
  }
  for (const setting of ['fsync', 'full_page_writes']) {
    if (row?.[setting] === 'on') continue
    throw new KernelError(
      'CONFIG_INVALID',
      `${setting} is off in the database, so a power cut can take or damage acknowledged receipts: ` +
        `set ${setting} = on in postgresql.conf and reload`,
    )
  }
  if (row?.['standby'] !== false || row['read_only'] !== 'off') {
    throw new KernelError(
      'LEDGER_UNAVAILABLE',
      'the database is a standby or read-only: name the primary in DATABASE_URL',
    )
  }
  return row['standbys'] === ''
    ? [
        'synchronous_standby_names of the database is empty: receipts acknowledged last are lost with ' +
          'its one disk',
      ]
    : []
}

/** Whether the role may do what nothing here ever does. */
export async function checkRole(client: Client, { entry }: Schema): Promise<readonly string[]> {
  const [row] = await client.run({
    text: `SELECT current_user AS name, pg_catalog.has_table_privilege($1, 'UPDATE, DELETE, TRUNCATE') AS may`,
    parameters: [entry],
  })
  return row?.['may'] === true
    ? [
        `the database role ${String(row['name'])} may change and delete receipts: use one that may not, ` +
          'and no superuser',
      ]
    : []
}
