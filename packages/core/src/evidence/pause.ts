import type { Steps } from '../bytes/finish.ts'

/** Lets others in between two pieces of work of a few milliseconds at most; may do nothing. */
export type Pause = () => Promise<void> | void

/** For whoever has nobody to let in. */
export const idle: Pause = () => undefined

/** Runs sliced work to its end, with a pause after each slice. */
export async function inTurns<T>(steps: Steps<T>, pause: Pause): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await (step.value ?? pause())
  }
}
