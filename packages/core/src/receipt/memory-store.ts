import type { LedgerIdentity, ReceiptStore, Refused, Stored } from '../ports/receipt-store.ts'
import { page } from './query.ts'
import { createState } from './state.ts'

/**
 * A ReceiptStore that lives as long as its object: for tests, simulation and hosts that copy receipts
 * out. Without an identity it takes the one that its kernel makes; one kernel a store.
 */
export function memoryStore(identity?: LedgerIdentity): ReceiptStore {
  const state = createState(identity)
  const entries: Stored[] = []
  return {
    async append(drafts, seal) {
      const results: (Stored | Refused)[] = []
      for (const sealed of seal(state, drafts)) {
        if ('refused' in sealed) {
          results.push(sealed)
          continue
        }
        const stored: Stored = Object.freeze({ ...sealed, logIndex: entries.length })
        entries.push(stored)
        state.apply(stored)
        results.push(stored)
      }
      return results
    },
    read: async (from, to) => entries.slice(from, to),
    find: async (query) => page(query, entries),
    state: async () => state,
  }
}
