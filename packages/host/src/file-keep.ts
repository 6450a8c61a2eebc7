import type { Disk, DiskError, Keep } from '@helm-ai-kernel/core'
import { replaceFile, temporarySuffix } from '@helm-ai-kernel/ledger'

/** A Keep of files: each is written whole beside its place, synced, and then renamed into it. */
export function fileKeep(disk: Disk): Keep {
  let last: Promise<unknown> = Promise.resolve()
  return Object.freeze({
    put(name, bytes) {
      // INVARIANT: one at a time, so that two cannot write into one unfinished file.
      const own = last.then(() => replaceFile(disk, name, bytes))
      last = own.catch(() => undefined)
      return own
    },
    async get(name) {
      try {
        const file = await disk.open(name, 'read')
        try {
          return await file.read(0, await file.size())
        } finally {
          await file.close()
        }
      } catch (error) {
        if ((error as Partial<DiskError>).code === 'ENOENT') return undefined
        throw error
      }
    },
    remove: (name) => disk.remove(name),
    async list(prefix) {
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      const names = await disk.list(folder.slice(0, -1))
      return names
        .map((name) => folder + name)
        .filter((name) => name.startsWith(prefix) && !name.endsWith(temporarySuffix))
    },
  } satisfies Keep)
}
