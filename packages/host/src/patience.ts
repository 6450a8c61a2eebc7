import type { Clock } from '@helm-ai-kernel/core'

/** What `work` comes to, or `'late'` when that takes longer than `ms`; the work goes on then. */
export async function waitAtMost<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  work: Promise<T>,
): Promise<T | 'late'> {
  const over = new AbortController()
  const late = clock.sleep(ms, over.signal).then(() => 'late' as const)
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
