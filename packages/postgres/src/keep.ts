import type { Keep } from '@helm-ai-kernel/core'
import type { Pool } from './pool.ts'
import { bytesOf, textOf } from './row.ts'
import type { Schema } from './schema.ts'

/** A blob may be a bundle of 64 MiB: so long may a statement about one take. */
export const keepMs = 60_000

/** Small blobs by name in a table, so that all replicas have them. */
export function postgresKeep(pool: Pool, { keep }: Schema): Keep {
  return {
    async put(name, bytes) {
      const text = `INSERT INTO ${keep} (name, bytes) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes`
      await pool.run({ text, parameters: [name, bytes] }, keepMs)
    },
    async get(name) {
      const text = `SELECT bytes FROM ${keep} WHERE name = $1`
      const [row] = await pool.run({ text, parameters: [name] }, keepMs)
      return row && bytesOf(row, 'bytes')
    },
    async remove(name) {
      await pool.run({ text: `DELETE FROM ${keep} WHERE name = $1`, parameters: [name] })
    },
    async list(prefix) {
      const text = `SELECT name FROM ${keep} WHERE starts_with(name, $1) ORDER BY name`
      const rows = await pool.run({ text, parameters: [prefix] })
      return rows.map((row) => textOf(row, 'name'))
    },
  }
}
