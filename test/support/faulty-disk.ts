import type { Disk, File } from '@helm-ai-kernel/core'
import { diskError, type MemoryDisk } from './memory-disk.ts'

export interface Fault {
  /** The call that fails, counted from 0; or every one that this says yes to. */
  readonly at: number | ((call: string, path: string) => boolean)
  readonly code: 'EIO' | 'ENOSPC' | 'EACCES'
  /**
   * `before`: nothing is done. `half`: half of a write is done. `after`: all is done, and then an
   * error is reported. `dropped`: a sync fails, and what it should have reached is never written.
   * `hang`: it never comes back.
   */
  readonly how: 'before' | 'half' | 'after' | 'dropped' | 'hang'
}

export interface FaultyDisk extends Disk {
  /** Names of the calls so far, each with its path. */
  readonly calls: readonly string[]
  /** Calls fail from now on, counted from 0 again. */
  fail(fault: Fault): void
  /** No call fails any more. */
  mend(): void
}

/** A Disk of which calls fail. */
export function faultyDisk(disk: MemoryDisk, fault?: Fault): FaultyDisk {
  const calls: string[] = []
  let active = fault

  async function step<T>(
    call: string,
    path: string,
    run: () => Promise<T>,
    half: () => Promise<unknown> = async () => undefined,
  ): Promise<T> {
    const at = active?.at
    const fails = typeof at === 'function' ? at(call, path) : at === calls.length
    calls.push(`${call} ${path}`)
    if (active === undefined || !fails) return run()
    if (active.how === 'hang') return new Promise<never>(() => undefined)
    if (active.how === 'half') await half()
    if (active.how === 'after') await run()
    if (active.how === 'dropped' && call === 'sync') disk.dropUnsynced(path)
    throw diskError(active.code, path)
  }

  function wrap(path: string, file: File): File {
    return {
      write: (bytes, offset) =>
        step(
          'write',
          path,
          () => file.write(bytes, offset),
          () => file.write(bytes.subarray(0, bytes.length / 2), offset),
        ),
      read: (offset, length) => step('read', path, () => file.read(offset, length)),
      sync: () => step('sync', path, () => file.sync()),
      truncate: (size) => step('truncate', path, () => file.truncate(size)),
      size: () => step('size', path, () => file.size()),
      close: () => step('close', path, () => file.close()),
    }
  }

  return {
    calls,
    fail(next) {
      active = next
      calls.length = 0
    },
    mend: () => (active = undefined),
    open: async (path, mode) => wrap(path, await step('open', path, () => disk.open(path, mode))),
    rename: (from, to) => step('rename', to, () => disk.rename(from, to)),
    remove: (path) => step('remove', path, () => disk.remove(path)),
    list: (path) => step('list', path, () => disk.list(path)),
  }
}
