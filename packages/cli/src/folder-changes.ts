import { type FSWatcher, watch } from 'node:fs'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@helm-ai-kernel/core'

const interval = 1_000
/** So long after an event, its companions have come too. */
const settling = 100
/** More entries than these are not looked at. */
const maxEntries = 1_000

/**
 * Yields after each change of a folder from now on, until `cancel`. Looks every second, and sooner when
 * the system tells of one. What changes while nobody asks for the next is one change.
 */
export async function folderChanges(
  folder: string,
  clock: Pick<Clock, 'sleep'>,
  cancel: AbortSignal,
): Promise<AsyncIterable<void>> {
  return changesSince(await fingerprint(folder), folder, clock, cancel)
}

async function* changesSince(
  first: string,
  folder: string,
  clock: Pick<Clock, 'sleep'>,
  cancel: AbortSignal,
): AsyncGenerator<void, void> {
  let wake: () => void = () => undefined
  const stir = (): void => wake()
  const watcher = watchIfPossible(folder, stir)
  cancel.addEventListener('abort', stir)
  try {
    let seen = first
    while (!cancel.aborted) {
      const event = new AbortController()
      wake = () => event.abort()
      await clock.sleep(interval, event.signal)
      if (event.signal.aborted) await clock.sleep(settling, cancel)
      const now = await fingerprint(folder)
      if (now === seen) continue
      seen = now
      yield
    }
  } finally {
    cancel.removeEventListener('abort', stir)
    watcher?.close()
  }
}

/** Whether the path is a folder; undefined when there is nothing. */
export async function isFolder(path: string): Promise<boolean | undefined> {
  return (await orNothing(fs.stat(path)))?.isDirectory()
}

/** Not on every file system, nor beyond the limits of the system: to look every second is enough. */
function watchIfPossible(folder: string, tell: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, tell)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}

/** Changes with what is in a folder, without a look into any file. */
async function fingerprint(folder: string): Promise<string> {
  // The kubelet puts a new folder in place whole, by this one link.
  const generation = await orNothing(fs.readlink(join(folder, '..data')))
  if (generation !== undefined) return `..data ${generation}`
  const names = (await orNothing(fs.readdir(folder))) ?? []
  const entries = ['.', ...names.sort().slice(0, maxEntries)].map(async (name) => {
    const stat = await orNothing(fs.stat(join(folder, name), { bigint: true }))
    return stat === undefined ? name : [name, stat.ino, stat.size, stat.mtimeNs].join(' ')
  })
  return (await Promise.all(entries)).join('\n')
}

async function orNothing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch {
    return undefined
  }
}
