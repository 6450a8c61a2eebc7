import type { Cancel } from '@helm-ai-kernel/core'

/** What an AbortController is, where there may be none. */
export interface Cancelling {
  readonly cancel: Cancel
  abort(): void
}

export function createCancel(): Cancelling {
  const listeners = new Set<() => void>()
  let aborted = false
  return {
    cancel: {
      get aborted() {
        return aborted
      },
      addEventListener: (_, listener) => void listeners.add(listener),
      removeEventListener: (_, listener) => void listeners.delete(listener),
    },
    abort() {
      aborted = true
      for (const listener of listeners) listener()
    },
  }
}
