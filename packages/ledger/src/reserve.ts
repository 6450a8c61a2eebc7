import type { Disk, Draft, Random } from '@helm-ai-kernel/core'

const path = 'ledger/reserve'
const reserveBytes = 1024 * 1024
/** As many random bytes as every platform gives at once. */
const chunkBytes = 64 * 1024

/** Kinds of receipt that may use the space of the reserve when the disk is full. */
const entitled: ReadonlySet<string> = new Set(['activation', 'key', 'approval'])

export function mayUseReserve(drafts: readonly Draft[]): boolean {
  return drafts.every(({ body }) => entitled.has(body.kind))
}

/** A file that holds space: given back to a full disk for the receipts that matter most. */
export interface Reserve {
  /** Makes the file unless it is there. Throws while the disk has not room for twice its size. */
  make(): Promise<void>
  release(): Promise<void>
}

export function createReserve(disk: Disk, random: Random): Reserve {
  const release = () => disk.remove(path)
  return {
    release,
    async make() {
      const file = await disk.open(path, 'create')
      try {
        if ((await file.size()) === reserveBytes) return
        // Random, because a file system may store a megabyte of zeros in no space at all. Twice the
        // size, because what was just released would always have room for itself.
        const bytes = fill(random.bytes(chunkBytes))
        await file.write(bytes, 0)
        await file.write(bytes, reserveBytes)
        await file.sync()
        await file.truncate(reserveBytes)
        await file.sync()
      } catch (error) {
        await file.truncate(0).catch(() => undefined)
        throw error
      } finally {
        await file.close()
      }
    },
  }
}

function fill(chunk: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(reserveBytes)
  for (let at = 0; at < bytes.length; at += chunk.length) bytes.set(chunk, at)
  return bytes
}
