import { performance } from 'node:perf_hooks'
import type { Clock } from '@helm-ai-kernel/core'

/** The longest that a timer can wait; settings are bounded below it. */
const longest = 2 ** 31 - 1

/** The clock of the machine. */
export const hostClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, cancel) {
    return new Promise((resolve) => {
      if (cancel?.aborted === true) {
        resolve()
        return
      }
      // To give others their turn is all that is asked for; a timer would take a millisecond.
      if (ms <= 0) {
        setImmediate(resolve)
        return
      }
      const done = (): void => {
        clearTimeout(timer)
        cancel?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(ms, longest))
      cancel?.addEventListener('abort', done)
    })
  },
} satisfies Clock)
