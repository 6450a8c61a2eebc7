import type { ReceiptStore } from '@helm-ai-kernel/core'

/**
 * A store that is still being opened: whoever asks waits for it. So the listeners can be bound, and
 * the probes answered, before a long ledger has been read.
 */
export function lateStore(store: Promise<ReceiptStore>): ReceiptStore {
  return Object.freeze({
    append: async (drafts, seal) => (await store).append(drafts, seal),
    read: async (from, to) => (await store).read(from, to),
    find: async (query) => (await store).find(query),
    state: async () => (await store).state(),
  } satisfies ReceiptStore)
}
