import type { Cancel, Clock } from '../ports/clock.ts'

/** Installs, one at a time for each scope, and those who wait for one to end. */
export interface Swaps {
  /** Runs `work` after what runs for `key` now. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>
  /** Resolves when nothing runs for `key`; never rejects. */
  settled(key: string): Promise<void>
  /** Resolves when `reached` holds after an install, or after `ms`; at once when too many wait. */
  until(ms: number, reached: () => boolean): Promise<void>
}

const maxWaiting = 64

export function createSwaps(clock: Clock): Swaps {
  const running = new Map<string, Promise<void>>()
  const waiting = new Set<() => void>()

  return {
    async run(key, work) {
      const before = running.get(key) ?? Promise.resolve()
      const own = before.then(work)
      const end = own.then(wake, wake)
      running.set(key, end)
      void end.then(() => {
        if (running.get(key) === end) running.delete(key)
      })
      return own
    },
    settled: (key) => running.get(key) ?? Promise.resolve(),
    async until(ms, reached) {
      if (reached() || waiting.size >= maxWaiting) return
      const over = createCancel()
      const look = (): void => {
        if (reached()) over.abort()
      }
      waiting.add(look)
      await clock.sleep(ms, over)
      waiting.delete(look)
    },
  }

  function wake(): void {
    for (const look of waiting) look()
  }
}

function createCancel(): Cancel & { abort(): void } {
  const listeners = new Set<() => void>()
  let aborted = false
  return {
    get aborted() {
      return aborted
    },
    addEventListener: (_type, listener) => void listeners.add(listener),
    removeEventListener: (_type, listener) => void listeners.delete(listener),
    abort() {
      aborted = true
      for (const listener of listeners) listener()
    },
  }
}
