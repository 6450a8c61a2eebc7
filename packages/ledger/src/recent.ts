import type { Stored } from '@helm-ai-kernel/core'

/** The newest receipts, whole: most reads never touch the disk. */
export interface Recent {
  add(receipt: Stored): void
  /** Undefined when it is older than what is kept. */
  get(logIndex: number): Stored | undefined
}

/** Keeps at least the newest `limit` receipts, and fewer than twice as many. */
export function createRecent(limit: number): Recent {
  let kept: Stored[] = []
  return {
    add(receipt) {
      if (kept.length === 2 * limit - 1) kept = kept.slice(-limit + 1)
      kept.push(receipt)
    },
    get: (logIndex) => kept[logIndex - (kept[0]?.logIndex ?? 0)],
  }
}
