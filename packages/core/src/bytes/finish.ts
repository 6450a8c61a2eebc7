/**
 * Work that pauses: between slices, so that others get their turn, or until something that runs
 * elsewhere is done.
 */
export type Steps<T> = Generator<Promise<void> | undefined, T>

/** Runs work that pauses between slices to its end, without the pauses; it may wait for nothing. */
export function finish<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
