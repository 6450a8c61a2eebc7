import type { Clock } from '@helm-ai-kernel/core'

export interface Silence {
  /** Something came: the wait begins anew. */
  heard(): void
  end(): void
}

/** Calls `act` once, when nothing was heard for `limit` ms. */
export function onSilence(clock: Clock, limit: number, act: () => void): Silence {
  const over = new AbortController()
  let last = clock.monotonic()
  void (async () => {
    for (;;) {
      const left = last + limit - clock.monotonic()
      if (left <= 0) {
        act()
        return
      }
      await clock.sleep(left, over.signal)
      if (over.signal.aborted) return
    }
  })()
  return {
    heard: () => (last = clock.monotonic()),
    end: () => over.abort(),
  }
}
