import type { Cancel } from '../ports/clock.ts'

/** A Cancel of our own making. */
export interface Cancelling extends Cancel {
  abort(): void
}

export function createCancel(): Cancelling {
  const listeners = new Set<() => void>()
  let aborted = false
  return {
    get aborted() {
      return aborted
    },
    addEventListener: (_type, listener) => void listeners.add(listener),
    removeEventListener: (_type, listener) => void listeners.delete(listener),
    abort() {
      if (aborted) return
      aborted = true
      for (const listener of listeners) listener()
      listeners.clear()
    },
  }
}
