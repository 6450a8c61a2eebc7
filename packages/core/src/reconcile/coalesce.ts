/**
 * Work that many ask for and that need not run for each: at most one run is on its way, and one waits.
 * The promise is of a run that began after the call.
 */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let waiting: Promise<void> | undefined
  return run

  function run(): Promise<void> {
    if (running !== undefined) return (waiting ??= running.then(next, next))
    running = work().finally(() => {
      running = undefined
    })
    return running
  }

  function next(): Promise<void> {
    waiting = undefined
    return run()
  }
}
