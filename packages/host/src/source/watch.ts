import fs from 'node:fs'
import { dirname } from 'node:path'
import { type Cancel, type Clock, messageOf } from '@helm-ai-kernel/core'
import type { Log } from '../log.ts'

export interface WatchOptions {
  /** A folder, or one file of it. */
  readonly path: string
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  readonly log: Pick<Log, 'warn'>
  /** Asks the reconciler to look. */
  readonly wake: () => void
}

/** Ms without an event after which a change is taken to be complete, and ms after which anyway. */
const quiet = 250
const longest = 2_000

/**
 * Wakes the reconciler when the operating system tells of a change beside `path`, until `ended`
 * (design 3.2: a hint only wakes). Network file systems and late mounts tell nothing, so polling goes
 * on and is what counts. Resolves when it watches, or cannot; never rejects.
 */
export async function watchPolicy(options: WatchOptions, ended: Cancel): Promise<void> {
  const { path, clock, log, wake } = options
  /** Monotonic ms of the newest event; undefined while none is waiting to be told. */
  let newest: number | undefined
  try {
    const isFolder = (await fs.promises.stat(path)).isDirectory()
    if (ended.aborted) return
    // A file is replaced by another one, so it is its folder that tells of it.
    const watcher = fs.watch(isFolder ? path : dirname(path), { persistent: false })
    ended.addEventListener('abort', () => watcher.close())
    watcher.on('change', () => void settle())
    watcher.on('error', (error) => {
      watcher.close()
      giveUp(error)
    })
  } catch (error) {
    giveUp(error)
  }

  /** Wakes once for all events of a change: files that are half written are better not read. */
  async function settle(): Promise<void> {
    const isFirst = newest === undefined
    newest = clock.monotonic()
    if (!isFirst) return
    const first = newest
    while (!ended.aborted) {
      const now = clock.monotonic()
      const due = Math.min(newest + quiet, first + longest)
      if (now >= due) break
      await clock.sleep(due - now, ended)
    }
    newest = undefined
    if (!ended.aborted) wake()
  }

  function giveUp(error: unknown): void {
    log.warn('policy is not watched, only polled', { path, reason: messageOf(error) })
  }
}
