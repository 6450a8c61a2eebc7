import { type Cancel, type Clock, KernelError } from '@helm-ai-kernel/core'
import type { Listing } from './listing.ts'

/** The newest listing, made anew when it is needed and shared by all that ask at one moment. */
export interface Latest {
  /**
   * A listing that began at most `fresh` ms before the call, and after the last `spoil`. Rejects as the
   * listing does, and with `SOURCE_TIMEOUT` when `cancel` aborts.
   */
  current(cancel: Cancel): Promise<Listing>
  /** Something changed: what was listed before does not count. */
  spoil(): void
  /** The newest that was complete, however old. */
  known(): Listing | undefined
}

interface Taken {
  readonly listing: Listing
  /** Monotonic ms. */
  readonly begun: number
  readonly spoils: number
}

/** `list` has an end of its own. */
export function latestOf(
  list: () => Promise<Listing>,
  clock: Pick<Clock, 'monotonic'>,
  fresh: number,
): Latest {
  let newest: Taken | undefined
  let running: Promise<void> | undefined
  let spoils = 0

  return {
    async current(cancel) {
      const since = clock.monotonic() - fresh
      const mark = spoils
      // What runs may have begun too early; the one after it did not.
      for (;;) {
        if (newest !== undefined && newest.begun >= since && newest.spoils >= mark) {
          return newest.listing
        }
        running ??= take().finally(() => (running = undefined))
        await unless(cancel, running)
      }
    },
    spoil() {
      spoils++
    },
    known: () => newest?.listing,
  }

  async function take(): Promise<void> {
    const taken = { begun: clock.monotonic(), spoils }
    newest = { ...taken, listing: await list() }
  }
}

/** Waits for `work`, but not longer than until `cancel`. */
function unless(cancel: Cancel, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void =>
      reject(
        new KernelError('SOURCE_TIMEOUT', 'the API server did not list HelmPolicyBundles in time'),
      )
    cancel.addEventListener('abort', abort)
    work.then(resolve, reject).finally(() => cancel.removeEventListener('abort', abort))
    if (cancel.aborted) abort()
  })
}
