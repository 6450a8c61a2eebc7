import type { Disk, File } from '@helm-ai-kernel/core'
import { diskError, type MemoryDisk } from './memory-disk.ts'

/** A Disk that is full when its files have `space.bytes`; a test may change the number. */
export function smallDisk(disk: MemoryDisk, space: { bytes: number }): Disk {
  function wrap(path: string, file: File): File {
    return {
      ...file,
      async write(bytes, offset) {
        const room = space.bytes - disk.used()
        const grows = Math.max(0, offset + bytes.length - (await file.size()))
        if (grows <= room) return file.write(bytes, offset)
        await file.write(bytes.subarray(0, Math.max(0, bytes.length - grows + room)), offset)
        throw diskError('ENOSPC', path)
      },
    }
  }
  return { ...disk, open: async (path, mode) => wrap(path, await disk.open(path, mode)) }
}
