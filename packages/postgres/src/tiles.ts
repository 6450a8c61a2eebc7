import type { Crypto, Stored, Tile, Tiles } from '@helm-ai-kernel/core'
import { encodeEntries, tileWidth } from '@helm-ai-kernel/core/log'
import type { Row, Statement } from './client.ts'
import { entryColumns, readEntry } from './entry-row.ts'
import { bytesOf } from './row.ts'
import type { Schema } from './schema.ts'
import { joinHashes } from './tip.ts'

/** Asks the database, on whichever connection. */
export type Ask = (statement: Statement) => Promise<readonly Row[]>

/** Reads tiles: full ones as they were written, partial ones from what they are made of. */
export function tileReader(ask: Ask, crypto: Crypto, schema: Schema): Pick<Tiles, 'tile'> {
  const { tile: tiles, entry } = schema

  async function tile({ level, index, width }: Tile): Promise<Uint8Array | undefined> {
    const from = index * tileWidth
    if (level === 'entries') {
      const entries = await entriesIn(ask, crypto, schema, from, from + width)
      return entries.length === width ? encodeEntries(entries.map((one) => one.entry)) : undefined
    }
    if (width === tileWidth) {
      const text = `SELECT hashes FROM ${tiles} WHERE level = $1 AND index = $2`
      const [row] = await ask({ text, parameters: [level, index] })
      return row && bytesOf(row, 'hashes')
    }
    const below =
      level === 0
        ? `SELECT leaf AS hash FROM ${entry}
            WHERE $1::int = 0 AND log_index >= $2 AND log_index < $3 ORDER BY log_index`
        : `SELECT root AS hash FROM ${tiles}
            WHERE level = $1::int - 1 AND index >= $2 AND index < $3 ORDER BY index`
    const rows = await ask({ text: below, parameters: [level, from, from + width] })
    if (rows.length !== width) return undefined
    return joinHashes(rows.map((row) => bytesOf(row, 'hash')))
  }

  return { tile }
}

/** Receipts by log index, `from` inclusive, `to` exclusive; fewer when the log is shorter. */
export async function entriesIn(
  ask: Ask,
  crypto: Crypto,
  { entry }: Schema,
  from: number,
  to: number,
): Promise<readonly Stored[]> {
  const text = `SELECT ${entryColumns} FROM ${entry}
    WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index`
  const rows = await ask({ text, parameters: [from, to] })
  return rows.map((row) => readEntry(crypto, row))
}
