import {
  type Crypto,
  fits,
  type LedgerIdentity,
  page,
  type ReceiptStore,
  type RefusedDraft,
  type Stored,
} from '@helm-ai-kernel/core'
import { createState, type StateFold } from '@helm-ai-kernel/core/receipt'
import { checkNext } from './check-next.ts'
import { createEntries, type Entries, openEntries } from './entries.ts'
import { createReceiptIndex } from './receipt-index.ts'
import type { Sqlite } from './sql-js.ts'

/** A ReceiptStore in memory that a host may copy out. */
export interface SqliteStore extends ReceiptStore {
  /** A database file with every receipt, for `importStore`. Throws `LEDGER_MISSING` without identity. */
  export(): Uint8Array
  /** Gives its memory back; it is of no use afterwards. */
  close(): void
}

/**
 * A whole ReceiptStore in a database in memory, for edge hosts and tests: it lives as long as its
 * object, unless the host keeps what `export` gives. Without an identity it takes the one that its
 * kernel makes; one kernel a store.
 */
export function sqliteStore(sqlite: Sqlite, identity?: LedgerIdentity): SqliteStore {
  return storeOver(sqlite, createEntries(sqlite, identity), createState(identity))
}

/**
 * A store that goes on from what another exported. Each receipt is decoded and must be the next of its
 * scope; signatures are left to an audit. Throws `LEDGER_CORRUPT`, for a file of something else or of
 * another version too, or `RECEIPT_MALFORMED`.
 */
export function importStore(sqlite: Sqlite, bytes: Uint8Array, crypto: Crypto): SqliteStore {
  const entries = openEntries(sqlite, bytes)
  try {
    const state = createState(entries.identity)
    for (const receipt of entries.range(0, Infinity)) {
      checkNext(crypto, state, receipt)
      state.apply(receipt)
    }
    return storeOver(sqlite, entries, state)
  } catch (error) {
    entries.close()
    throw error
  }
}

function storeOver(sqlite: Sqlite, entries: Entries, state: StateFold): SqliteStore {
  const index = createReceiptIndex(sqlite, { limit: Infinity })
  for (const receipt of entries.range(0, state.size)) remember([receipt])

  function remember(receipts: readonly Stored[]): void {
    try {
      index.add(receipts)
    } catch {
      // It has forgotten everything, and does not begin at 0 again: `find` looks at all receipts.
    }
  }

  return {
    async append(drafts, seal) {
      const results: (Stored | RefusedDraft)[] = []
      const stored: Stored[] = []
      for (const sealed of seal(state, drafts)) {
        if ('refused' in sealed) {
          results.push(sealed)
          continue
        }
        const receipt = Object.freeze({ ...sealed, logIndex: state.size + stored.length })
        stored.push(receipt)
        results.push(receipt)
      }
      entries.insert(stored)
      for (const receipt of stored) state.apply(receipt)
      remember(stored)
      return results
    },
    read: async (from, to) => [...entries.range(from, to)],
    async find(query) {
      const found = index.propose(query).flatMap((at) => [...entries.range(at, at + 1)])
      // By chance one hash of the index may stand for two texts.
      if (index.from !== 0 || !found.every((receipt) => fits(query, receipt))) {
        return page(query, entries.range(0, Infinity))
      }
      return { receipts: found.slice(0, query.limit), hasMore: found.length > query.limit }
    },
    state: async () => state,
    export: entries.export,
    close() {
      index.clear()
      entries.close()
    },
  }
}
