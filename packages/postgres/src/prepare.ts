import type { Clock } from '@helm-ai-kernel/core'
import { connectClient } from './client.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { explained, migrate } from './migrate.ts'
import { schemaOf } from './schema.ts'
import { checkServer } from './settings.ts'

export interface MigrateOptions {
  /** As `parseDatabaseUrl` takes it, of a role that may make the tables. */
  readonly url: string
  readonly ca?: string
  readonly clock: Clock
  /** `helm` when absent. */
  readonly schema?: string
}

/**
 * Makes the ledger's tables, or brings them to this version, as another role than the one that kernels
 * run as. `openPostgres` does the same by itself where its role owns the schema. A role that does not
 * own it needs, for it to append and nothing more:
 *
 * ```sql
 * GRANT USAGE ON SCHEMA helm TO kernel;
 * GRANT SELECT ON helm.migration TO kernel;
 * GRANT SELECT, INSERT ON helm.entry, helm.tile TO kernel;
 * GRANT SELECT, INSERT, UPDATE ON helm.scope, helm.tip TO kernel;
 * GRANT SELECT, INSERT, UPDATE, DELETE ON helm.keep TO kernel;
 * ```
 *
 * Throws `CONFIG_INVALID` as `openPostgres` does, and what the database said when it cannot be reached.
 */
export async function migratePostgres(options: MigrateOptions): Promise<void> {
  const { url, ca, clock, schema = 'helm' } = options
  const tables = schemaOf(schema)
  const at = { database: parseDatabaseUrl(url), clock, warn: () => undefined }
  const client = await connectClient({ ...at, ...(ca === undefined ? {} : { ca }) })
  try {
    await checkServer(client)
    await migrate(client, tables)
  } catch (error) {
    throw explained(error)
  } finally {
    await client.close()
  }
}
