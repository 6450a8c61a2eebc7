import type { Disk, DiskError, Keep } from '@helm-ai-kernel/core'
import { replaceFile, temporarySuffix } from '@helm-ai-kernel/ledger'

/** A Keep of files: each is written whole beside its place, synced, and then renamed into it. */
export function fileKeep(disk: Disk): Keep {
  /** The put of each name that is on its way. */
  const putting = new Map<string, Promise<unknown>>()
  return Object.freeze({
    put(name, bytes) {
      // INVARIANT: one at a time of a name, so that two cannot write into one unfinished file.
      const before = putting.get(name) ?? Promise.resolve()
      const own = before.then(() => replaceFile(disk, name, bytes))
      const end = own.catch(() => undefined)
      putting.set(name, end)
      void end.then(() => {
        if (putting.get(name) === end) putting.delete(name)
      })
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
