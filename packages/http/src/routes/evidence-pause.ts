import type { Clock } from '@helm-ai-kernel/core'
import type { Pause } from '@helm-ai-kernel/core/evidence'

/** Longest run of work on a pack between two turns of the host's event loop, in ms. */
const turn = 4

export function createPause(clock: Pick<Clock, 'monotonic' | 'sleep'>): Pause {
  let begun = clock.monotonic()
  return async () => {
    if (clock.monotonic() - begun < turn) return
    await clock.sleep(0)
    begun = clock.monotonic()
  }
}
