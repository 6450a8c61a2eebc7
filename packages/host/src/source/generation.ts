import fs from 'node:fs/promises'
import { join, sep } from 'node:path'
import { type Cancel, KernelError, messageOf } from '@helm-ai-kernel/core'
import { type OpenFile, withFile } from './open-file.ts'

/** A folder of policy files as it was at one moment. */
export interface Generation {
  /** Names of files and folders. */
  names(): Promise<readonly string[]>
  /** What `work` makes of a file of at most `maxBytes`; undefined when there is none. */
  open<T>(
    name: string,
    maxBytes: number,
    work: (file: OpenFile) => Promise<T>,
  ): Promise<T | undefined>
}

/** The link by which the kubelet swaps all files of a volume at once. */
const current = '..data'
const attempts = 5

/**
 * Reads files of `folder` that belong together: in a folder that the kubelet keeps, all from the one
 * generation that `..data` named before and after. Throws `SOURCE_UNREACHABLE`, `SOURCE_TIMEOUT` once
 * `cancel` aborts, or what `read` throws.
 */
export async function inOneGeneration<T>(
  folder: string,
  cancel: Cancel,
  read: (generation: Generation) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const before = await generationOf(folder)
    let result: T | undefined
    let fault: unknown
    try {
      result = await read(await open(folder, before, cancel))
    } catch (error) {
      fault = error
    }
    // The kubelet removes the old generation right after the swap: what was not there proves nothing.
    if ((await generationOf(folder)) !== before) continue
    if (fault !== undefined) throw explain(fault, folder)
    return result as T
  }
  throw unreachable(`${folder} changes faster than it can be read: look at who writes it`)
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

async function open(
  folder: string,
  generation: string | undefined,
  cancel: Cancel,
): Promise<Generation> {
  const root = await fs.realpath(folder)
  const base = generation === undefined ? root : await inside(root, join(root, generation))
  return {
    names: () => fs.readdir(base),
    async open(name, maxBytes, work) {
      try {
        return await withFile(await inside(root, join(base, name)), maxBytes, cancel, work)
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

function explain(error: unknown, folder: string): unknown {
  if (codeOf(error) === undefined) return error
  return new KernelError(
    'SOURCE_UNREACHABLE',
    `${folder} cannot be read: ${messageOf(error)}; mount it there, and let the user of this process read it`,
    { cause: error },
  )
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
