import { hash } from 'node:crypto'
import type { Disk, File } from '@helm-ai-kernel/core'

/** Bytes of each file by path. */
export type Files = ReadonlyMap<string, Uint8Array>

/** A number from 0 to `below`, exclusive. */
export type Pick = (below: number) => number

/** A change of a file that no sync has reached. */
type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly size: number }

interface Inode {
  /** What a running process sees. */
  bytes: Uint8Array
  /** What the platter has. */
  synced: Uint8Array
  unsynced: Change[]
}

/** A Disk in memory whose power can be cut: what was not synced may then be lost, in any order. */
export interface MemoryDisk extends Disk {
  /** What a killed process leaves behind. */
  files(): Files
  /** What a power cut leaves behind; `pick` says what of the unsynced work survives. */
  afterPowerCut(pick: Pick): Files
  /** Bytes of all files. */
  used(): number
  /** A failed sync: the system believes the file's pages are clean, and they never reach the platter. */
  dropUnsynced(path: string): void
}

/** Smaller than any disk's, so that a note and a frame can tear too. */
const sector = 128

export function memoryDisk(files: Files = new Map()): MemoryDisk {
  const inodes = new Map([...files].map(([path, bytes]) => [path, inode(bytes)]))
  /** Names that changed, and what stood there; the folder is not synced yet. */
  const renamed = new Map<string, Inode | undefined>()

  /** Changes names; they are durable once the promise resolves, and may be before. */
  async function changeNames(changes: ReadonlyMap<string, Inode | undefined>): Promise<void> {
    for (const [path, to] of changes) {
      renamed.set(path, inodes.get(path))
      setName(inodes, path, to)
    }
    await Promise.resolve()
    for (const path of changes.keys()) renamed.delete(path)
  }

  return {
    async open(path, mode) {
      const found = inodes.get(path)
      if (mode === 'scratch') {
        const made = inode(new Uint8Array())
        // No sync of the folder: until it is renamed, a power cut may take the name.
        renamed.set(path, found)
        inodes.set(path, made)
        return memoryFile(made)
      }
      if (found !== undefined) return memoryFile(found)
      if (mode !== 'create') throw diskError('ENOENT', path)
      const made = inode(new Uint8Array())
      await changeNames(new Map([[path, made]]))
      return memoryFile(made)
    },
    async rename(from, to) {
      const found = inodes.get(from)
      if (found === undefined) throw diskError('ENOENT', from)
      await changeNames(
        new Map([
          [to, found],
          [from, undefined],
        ]),
      )
    },
    async remove(path) {
      if (inodes.has(path)) await changeNames(new Map([[path, undefined]]))
    },
    async list(path) {
      const names = [...inodes.keys()].filter((name) => name.startsWith(`${path}/`))
      return [
        ...new Set(names.map((name) => name.slice(path.length + 1).replace(/\/.*/, ''))),
      ].sort()
    },
    files: () => new Map([...inodes].map(([path, { bytes }]) => [path, bytes.slice()])),
    afterPowerCut(pick) {
      const names = new Map(inodes)
      for (const [path, before] of renamed) if (pick(2) === 0) setName(names, path, before)
      return new Map([...names].map(([path, one]) => [path, survivor(one, pick)]))
    },
    used: () => [...inodes.values()].reduce((sum, { bytes }) => sum + bytes.length, 0),
    dropUnsynced(path) {
      const found = inodes.get(path)
      if (found !== undefined) found.unsynced = []
    },
  }
}

/** Files to compare: the digest of each by its path. */
export function digests(files: Files): Readonly<Record<string, string>> {
  return Object.fromEntries([...files].map(([path, bytes]) => [path, hash('sha256', bytes)]))
}

/** An error as a Disk throws it. */
export function diskError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

function inode(bytes: Uint8Array): Inode {
  return { bytes, synced: bytes, unsynced: [] }
}

function setName(names: Map<string, Inode>, path: string, to: Inode | undefined): void {
  if (to === undefined) names.delete(path)
  else names.set(path, to)
}

function memoryFile(one: Inode): File {
  const change = (made: Change): void => {
    one.bytes = changed(one.bytes, made)
    one.unsynced.push(made)
  }
  return {
    write: async (bytes, at) => change({ at, bytes: bytes.slice() }),
    read: async (offset, length) => one.bytes.slice(offset, offset + length),
    async sync() {
      const reached = [...one.unsynced]
      await Promise.resolve()
      one.synced = reached.reduce(changed, one.synced)
      one.unsynced = one.unsynced.slice(reached.length)
    },
    truncate: async (size) => change({ size }),
    size: async () => one.bytes.length,
    close: async () => undefined,
  }
}

/** Each sector of each unsynced write survives or does not; so does each change of size. */
function survivor({ synced, unsynced }: Inode, pick: Pick): Uint8Array {
  let bytes = synced
  for (const made of unsynced) {
    if ('size' in made) {
      if (pick(2) === 0) bytes = changed(bytes, made)
      continue
    }
    const end = made.at + made.bytes.length
    // The file may have grown without its data: then there are zeros.
    if (pick(4) === 0) bytes = changed(bytes, { size: Math.max(bytes.length, end) })
    for (let at = made.at; at < end;) {
      const next = Math.min(end, (Math.floor(at / sector) + 1) * sector)
      const part = made.bytes.subarray(at - made.at, next - made.at)
      if (pick(2) === 0) bytes = changed(bytes, { at, bytes: part })
      at = next
    }
  }
  return bytes.slice()
}

function changed(bytes: Uint8Array, made: Change): Uint8Array {
  const size = 'size' in made ? made.size : Math.max(bytes.length, made.at + made.bytes.length)
  const after = new Uint8Array(size)
  after.set(bytes.subarray(0, size))
  if ('at' in made) after.set(made.bytes, made.at)
  return after
}
