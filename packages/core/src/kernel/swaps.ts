import type { Clock } from '../ports/clock.ts'
import { createCancel } from './cancel.ts'

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
