import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { join, sep } from 'node:path'
import { KernelError } from '@helm-ai-kernel/core'

/** A folder of policy files as it was at one moment. */
export interface Generation {
  /** Names of files and folders. */
  names(): Promise<readonly string[]>
  /** The bytes of a file, at most `maxBytes`; undefined when there is none. */
  read(name: string, maxBytes: number): Promise<Uint8Array | undefined>
}

/** The link by which the kubelet swaps all files of a volume at once. */
const current = '..data'
const attempts = 5

/**
 * Reads files of `folder` that belong together: in a folder that the kubelet keeps, all from the one
 * generation that `..data` named before and after. Throws `SOURCE_UNREACHABLE`, or what `read` throws.
 */
export async function inOneGeneration<T>(
  folder: string,
  read: (generation: Generation) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const before = await generationOf(folder)
    let result: T | undefined
    let fault: unknown
    try {
      result = await read(await open(folder, before))
    } catch (error) {
      fault = error
    }
    // The kubelet removes the old generation right after the swap: what was not there proves nothing.
    if ((await generationOf(folder)) !== before) continue
    if (fault !== undefined) throw explain(fault, folder)
    return result as T
  }
  throw unreachable(`${folder} changes faster than it can be read`)
}

async function generationOf(folder: string): Promise<string | undefined> {
  try {
    return await fs.readlink(join(folder, current))
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'EINVAL') return undefined
    throw explain(error, folder)
  }
}

async function open(folder: string, generation: string | undefined): Promise<Generation> {
  const root = await fs.realpath(folder)
  const base = generation === undefined ? root : await inside(root, join(root, generation))
  return {
    names: () => fs.readdir(base),
    async read(name, maxBytes) {
      try {
        return await readFile(await inside(root, join(base, name)), maxBytes)
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      }
    },
  }
}

/** Where `path` really is. A link out of the folder would let its writer show us other files. */
async function inside(root: string, path: string): Promise<string> {
  const real = await fs.realpath(path)
  if (real.startsWith(root.endsWith(sep) ? root : root + sep)) return real
  throw unreachable(`${path} links out of its folder: put the file itself there`)
}

async function readFile(path: string, maxBytes: number): Promise<Uint8Array> {
  // Opening a pipe would wait for its writer; a link put there just now is not followed.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await fs.open(path, flags)
  try {
    const before = await file.stat()
    if (!before.isFile()) throw unreachable(`${path} is not a file`)
    if (before.size > maxBytes) {
      throw new KernelError(
        'SOURCE_TOO_LARGE',
        `${path} has ${before.size} bytes, at most ${maxBytes} are read`,
      )
    }
    const bytes = new Uint8Array(before.size)
    let read = 0
    while (read < bytes.length) {
      const { bytesRead } = await file.read(bytes, read, bytes.length - read, read)
      if (bytesRead === 0) break
      read += bytesRead
    }
    const after = await file.stat()
    if (read < bytes.length || after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      throw unreachable(`${path} changed while it was read`)
    }
    return bytes
  } finally {
    await file.close()
  }
}

function explain(error: unknown, folder: string): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  const message = error instanceof Error ? error.message : code
  return new KernelError('SOURCE_UNREACHABLE', `${folder} cannot be read: ${message}`, {
    cause: error,
  })
}

function unreachable(message: string): KernelError {
  return new KernelError('SOURCE_UNREACHABLE', message)
}

/** Of an error of the operating system. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof KernelError || !(error instanceof Error) || !('code' in error))
    return undefined
  return String(error.code)
}
