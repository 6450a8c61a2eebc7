import type { Steps } from '../bytes/finish.ts'
import type { Clock } from '../ports/clock.ts'

/** Longest run of one piece of work between two turns of the host's event loop, in ms. */
const turn = 4

/** Runs sliced work to its end, letting others in between slices. */
export type Turns = <T>(steps: Steps<T>) => Promise<T>

export function createTurns(clock: Clock): Turns {
  return async (steps) => {
    let begun = clock.monotonic()
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      if (step.value === undefined && clock.monotonic() - begun < turn) continue
      await (step.value ?? clock.sleep(0))
      begun = clock.monotonic()
    }
  }
}
