import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { type Cancel, KernelError } from '@helm-ai-kernel/core'

/** A file that is open, and known to be the same when it is closed. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number
  /** Where it is, which file it is, its size and its times: another whenever the file is. */
  readonly identity: string
  /** Wall ms of its newest change by the clock of its file system; nobody can set it. */
  readonly changedAt: number
  /**
   * Its bytes, up to a MiB at a time, so that others get their turn between two slices. A slice is
   * written over by the next one.
   */
  slices(): AsyncGenerator<Uint8Array>
}

const slice = 1 << 20

/**
 * Opens a file of at most `maxBytes` for as long as `work` takes. Throws `SOURCE_TOO_LARGE`,
 * `SOURCE_TIMEOUT` once `cancel` aborts, `SOURCE_UNREACHABLE` when the file is none or changes
 * meanwhile, or an error of the operating system.
 */
export async function withFile<T>(
  path: string,
  maxBytes: number,
  cancel: Cancel,
  work: (file: OpenFile) => Promise<T>,
): Promise<T> {
  // Opening a pipe would wait for its writer; a link put there just now is not followed.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await fs.open(path, flags)
  try {
    const before = await handle.stat({ bigint: true })
    const size = Number(before.size)
    if (!before.isFile()) throw unreachable(`${path} is not a file: put one in its place`)
    if (size > maxBytes) {
      throw new KernelError(
        'SOURCE_TOO_LARGE',
        `${path} has ${size} bytes, at most ${maxBytes} are read: make it smaller`,
      )
    }
    const identityOf = ({ dev, ino, size, mtimeNs, ctimeNs }: typeof before): string =>
      [path, dev, ino, size, mtimeNs, ctimeNs].join()
    const identity = identityOf(before)
    const changedAt = Number(before.ctimeMs)
    const result = await work({ size, identity, changedAt, slices })
    if (identityOf(await handle.stat({ bigint: true })) !== identity) throw changed()
    return result

    async function* slices(): AsyncGenerator<Uint8Array> {
      const buffer = new Uint8Array(Math.min(slice, size))
      for (let at = 0; at < size;) {
        if (cancel.aborted) throw new KernelError('SOURCE_TIMEOUT', `${path} was not read in time`)
        const { bytesRead } = await handle.read(buffer, 0, Math.min(slice, size - at), at)
        if (bytesRead === 0) throw changed()
        yield buffer.subarray(0, bytesRead)
        at += bytesRead
      }
    }
  } finally {
    await handle.close()
  }

  function changed(): KernelError {
    return unreachable(`${path} changed while it was read: it is read again at the next poll`)
  }
}

/** All bytes of a file; `see` is shown each slice of them. */
export async function bytesOf(
  file: OpenFile,
  see: (part: Uint8Array) => void = () => undefined,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.size)
  let at = 0
  for await (const part of file.slices()) {
    see(part)
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function unreachable(message: string): KernelError {
  return new KernelError('SOURCE_UNREACHABLE', message)
}
