import type { Disk, File } from '@helm-ai-kernel/core'

export interface EndingDisk extends Disk {
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
}

/**
 * A disk whose process ends in the middle of call number `at`: the call has begun, and neither it nor
 * any other ever comes back. `atEnd` is called in that moment.
 */
export function endingDisk(disk: Disk, at: number, atEnd: () => void): EndingDisk {
  let calls = 0
  let resolveEnded: () => void
  const ended = new Promise<void>((resolve) => (resolveEnded = resolve))

  async function step<T>(run: () => Promise<T>): Promise<T> {
    const call = calls++
    if (call > at) return never()
    const running = run()
    if (call === at) {
      atEnd()
      resolveEnded()
    }
    const result = await running
    // What was under way at the end does not come back either.
    return calls > at ? never() : result
  }

  function wrap(file: File): File {
    return {
      write: (bytes, offset) => step(() => file.write(bytes, offset)),
      read: (offset, length) => step(() => file.read(offset, length)),
      sync: () => step(() => file.sync()),
      truncate: (size) => step(() => file.truncate(size)),
      size: () => step(() => file.size()),
      close: () => step(() => file.close()),
    }
  }

  return {
    ended,
    open: async (path, mode) => wrap(await step(() => disk.open(path, mode))),
    rename: (from, to) => step(() => disk.rename(from, to)),
    remove: (path) => step(() => disk.remove(path)),
    list: (path) => step(() => disk.list(path)),
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}
