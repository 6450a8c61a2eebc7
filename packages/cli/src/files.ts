import { Buffer } from 'node:buffer'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { KernelError } from '@helm-ai-kernel/core'
import type { Io } from './io.ts'

/** More than any file that a command reads. */
const maxFileBytes = 256 * 1024 * 1024

/** The bytes of a file; `-` is stdin. Throws `FILE_UNUSABLE`, also for more than `maxBytes`. */
export async function readFile(
  io: Io,
  path: string,
  maxBytes: number = maxFileBytes,
): Promise<Uint8Array> {
  if (path === '-') return io.readStdin()
  const bytes = await attempt(`${path} cannot be read`, async () => {
    const pieces: Uint8Array[] = []
    // No further than one byte too many: it may be a device, or anything else without an end.
    const stream = createReadStream(resolve(io.cwd, path), { end: maxBytes })
    for await (const piece of stream) pieces.push(piece as Uint8Array)
    return new Uint8Array(Buffer.concat(pieces))
  })
  if (bytes.length <= maxBytes) return bytes
  throw new KernelError('FILE_UNUSABLE', `${path} has more than ${maxBytes} bytes`)
}

/** The bytes of a file that need not be there. Throws `FILE_UNUSABLE`. */
export async function readIfThere(io: Io, path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(io, path)
  } catch (error) {
    if (isAbsent(error instanceof KernelError ? error.cause : error)) return undefined
    throw error
  }
}

/** Puts a file in place, whole or not at all, and folders above it. Throws `FILE_UNUSABLE`. */
export async function replaceFile(io: Io, path: string, bytes: Uint8Array): Promise<void> {
  const there = await fs.lstat(resolve(io.cwd, path)).catch(() => undefined)
  // Whoever may would else put a file where /dev/null was.
  if (there !== undefined && !there.isFile() && !there.isSymbolicLink() && !there.isDirectory()) {
    throw new KernelError('FILE_UNUSABLE', `${path} is no file: choose another name`)
  }
  await placeFile(io, path, bytes, fs.rename)
}

/** The same for a file that is not there yet; one that is, stays. */
export async function createFile(io: Io, path: string, bytes: Uint8Array): Promise<void> {
  await refuseExisting(io, path)
  await placeFile(io, path, bytes, fs.link)
}

/** Throws `FILE_UNUSABLE` when something is there. */
export async function refuseExisting(io: Io, path: string): Promise<void> {
  const there = await fs.lstat(resolve(io.cwd, path)).catch(() => undefined)
  if (there !== undefined) {
    throw new KernelError('FILE_UNUSABLE', `${path} is there already: choose another name`)
  }
}

async function placeFile(
  io: Io,
  path: string,
  bytes: Uint8Array,
  place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const full = resolve(io.cwd, path)
  const temporary = join(dirname(full), `.${basename(full)}.${process.pid}.tmp`)
  await attempt(`${path} cannot be written`, async () => {
    await fs.mkdir(dirname(full), { recursive: true })
    try {
      // What is there is left from a process that was killed, or a link that somebody laid.
      await fs.rm(temporary, { force: true })
      await fs.writeFile(temporary, bytes, { flag: 'wx', flush: true })
      await place(temporary, full)
      await syncFolder(dirname(full))
    } finally {
      await fs.rm(temporary, { force: true })
    }
  })
}

/** After it, a power cut does not take back the name of a file. */
async function syncFolder(path: string): Promise<void> {
  const folder = await fs.open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Writes a secret to a new file for its owner alone. Throws `FILE_UNUSABLE` when there is one. */
export async function writeSecret(io: Io, path: string, text: string): Promise<void> {
  await attempt(`${path} cannot be written`, () =>
    fs.writeFile(resolve(io.cwd, path), text, { flag: 'wx', mode: 0o600, flush: true }),
  )
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EEXIST: 'it is there already, and a key is never overwritten: choose another name',
  EACCES: 'this user may not: change its mode or owner',
  EISDIR: 'it is a folder: give a file',
  ENOTDIR: 'a part of the path is no folder',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new KernelError('FILE_UNUSABLE', `${what}: ${reasons[code] ?? code}`, { cause })
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
