import { KernelError } from '../error.ts'
import { createCancel } from '../kernel/cancel.ts'
import type { Cancel, Clock } from '../ports/clock.ts'

/**
 * What `work` comes to, if it does within `ms`; else `SOURCE_TIMEOUT`, and the work is told to stop. It
 * is not waited for: whoever hangs may not hear.
 */
export async function inTime<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  what: string,
  work: (cancel: Cancel) => Promise<T>,
): Promise<T> {
  const late = createCancel()
  const done = createCancel()
  const limit = clock.sleep(ms, done).then(() => {
    throw new KernelError('SOURCE_TIMEOUT', `${what} did not come within ${ms / 1000} s`)
  })
  try {
    return await Promise.race([work(late), limit])
  } finally {
    limit.catch(() => undefined)
    late.abort()
    done.abort()
  }
}
