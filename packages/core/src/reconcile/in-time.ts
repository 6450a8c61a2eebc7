import { KernelError } from '../error.ts'
import { createCancel } from '../kernel/cancel.ts'
import type { Cancel, Clock } from '../ports/clock.ts'

const isLate: unique symbol = Symbol('late')

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
  const limit = clock.sleep(ms, done).then((): typeof isLate => isLate)
  try {
    const result = await Promise.race([work(late), limit])
    if (result !== isLate) return result
    throw new KernelError('SOURCE_TIMEOUT', `${what} did not come within ${ms / 1000} s`)
  } finally {
    late.abort()
    done.abort()
  }
}
