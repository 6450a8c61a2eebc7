import type { Clock } from '@helm-ai-kernel/core'
import { createCancel } from './cancel.ts'

/** Runs `work` after it was asked for, but not again before the interval is over. */
export interface Publisher {
  /** Something new is there. */
  touch(): void
  /** Runs `work` once everything before is done. Rejects as it does. */
  now(): Promise<void>
  /** Takes no more touches, and resolves when nothing runs. */
  close(): Promise<void>
}

export function createPublisher(
  clock: Clock,
  intervalMs: number,
  work: () => Promise<void>,
  warn: (message: string) => void,
): Publisher {
  const closing = createCancel()
  let last = -Infinity
  let waiting = false
  let failing = false
  let running: Promise<void> = Promise.resolve()

  function now(): Promise<void> {
    const run = running.then(() => {
      last = clock.monotonic()
      return work()
    })
    running = run.catch(() => undefined)
    return run
  }

  async function later(): Promise<void> {
    waiting = true
    await clock.sleep(Math.max(0, last + intervalMs - clock.monotonic()), closing.cancel)
    waiting = false
    if (closing.cancel.aborted) return
    try {
      await now()
      failing = false
    } catch (error) {
      if (!failing)
        warn(`the checkpoint is not published: ${error instanceof Error ? error.message : error}`)
      failing = true
      touch()
    }
  }

  function touch(): void {
    if (!waiting && !closing.cancel.aborted) void later()
  }

  return {
    touch,
    now,
    async close() {
      closing.abort()
      await running
    },
  }
}
