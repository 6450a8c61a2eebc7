import type { Keep, Ledger, ReceiptStore, Tiles } from '@helm-ai-kernel/core'
import type { Storage } from './storage.ts'

/** What can be handed to others before a ledger is open. */
export interface LateStorage {
  readonly receipts: ReceiptStore
  readonly log: Tiles
  readonly keep: Keep
  readonly watch: Ledger['watch']
}

/**
 * A storage that is still being opened: whoever asks waits for it. So the listeners can be bound, and
 * the probes answered, before a long ledger has been read.
 */
export function lateStorage(storage: Promise<Storage>): LateStorage {
  const ledger = async (): Promise<Ledger> => (await storage).ledger
  const keep = async (): Promise<Keep> => (await storage).keep
  return Object.freeze({
    receipts: {
      append: async (drafts, seal) => (await ledger()).append(drafts, seal),
      read: async (from, to) => (await ledger()).read(from, to),
      find: async (query) => (await ledger()).find(query),
      state: async () => (await ledger()).state(),
    },
    log: {
      checkpoint: async () => (await ledger()).checkpoint(),
      tile: async (tile) => (await ledger()).tile(tile),
    },
    keep: {
      put: async (name, bytes) => (await keep()).put(name, bytes),
      get: async (name) => (await keep()).get(name),
      remove: async (name) => (await keep()).remove(name),
      list: async (prefix) => (await keep()).list(prefix),
    },
    watch(listener) {
      let ended = false
      let end = (): void => void (ended = true)
      void ledger().then((open) => {
        if (!ended) end = open.watch(listener)
      })
      return () => end()
    },
  } satisfies LateStorage)
}
