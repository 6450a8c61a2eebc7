import type { Cancel, Clock } from '@helm-ai-kernel/core'

/** What `work` comes to; it is cancelled after `ms`, or when `ended` aborts. */
export async function inTime<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  ended: Cancel,
  work: (cancel: Cancel) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const done = new AbortController()
  const stop = (): void => late.abort()
  ended.addEventListener('abort', stop)
  if (ended.aborted) stop()
  void clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) stop()
  })
  try {
    return await work(late.signal)
  } finally {
    done.abort()
    ended.removeEventListener('abort', stop)
  }
}
