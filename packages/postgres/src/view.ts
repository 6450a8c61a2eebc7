import type { Crypto, ReceiptStore, Tiles } from '@helm-ai-kernel/core'
import { createState } from '@helm-ai-kernel/core/receipt'
import { findReceipts } from './find.ts'
import { bytesOf, textOf } from './row.ts'
import type { Schema } from './schema.ts'
import { type Ask, entriesIn, tileReader } from './tiles.ts'
import { readScopes, readTip } from './tip.ts'

const pageSize = 1000
const mostUnresolved = 4096

/** What a ledger answers without its lock. */
export interface View extends Pick<ReceiptStore, 'read' | 'find' | 'state'>, Tiles {
  /** Ids of allowed calls in the first entries that no outcome receipt followed, oldest first. */
  unresolved(entries?: number): Promise<readonly string[]>
}

export function createView(ask: Ask, crypto: Crypto, schema: Schema): View {
  const { entry, scope, tip } = schema
  return {
    ...tileReader(ask, crypto, schema),
    find: (query) => findReceipts(ask, crypto, schema, query),
    async read(from, to) {
      const found = []
      for (let at = from; at < to;) {
        const page = await entriesIn(ask, crypto, schema, at, Math.min(to, at + pageSize))
        found.push(...page)
        if (page.length < pageSize) break
        at += pageSize
      }
      return found
    },
    async state() {
      // One statement, so one moment.
      const rows = await ask({
        text: `SELECT t.*, s.key AS scope, s.state FROM ${tip} t LEFT JOIN ${scope} s ON true`,
      })
      const [first] = rows
      if (first === undefined) return createState()
      const { identity, fields } = readTip(first)
      const scopes = rows.flatMap((row) =>
        row['scope'] === null ? [] : [{ key: row['scope'], state: row['state'] }],
      )
      return createState(identity, { ...fields, scopes: readScopes(scopes) })
    },
    async checkpoint() {
      const [row] = await ask({ text: `SELECT checkpoint FROM ${tip}` })
      return row && bytesOf(row, 'checkpoint')
    },
    async unresolved(entries = 0) {
      const rows = await ask({
        text: `SELECT encode(receipt_id, 'hex') AS id FROM ${entry} one WHERE awaits AND log_index < $1 AND NOT EXISTS
            (SELECT 1 FROM ${entry} outcome WHERE outcome.decision = one.receipt_id)
          ORDER BY log_index DESC LIMIT ${mostUnresolved}`,
        parameters: [entries],
      })
      return rows.map((row) => `rcpt-${textOf(row, 'id')}`).reverse()
    },
  }
}
