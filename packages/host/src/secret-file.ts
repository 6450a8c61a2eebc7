import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { KernelError } from '@helm-ai-kernel/core'

/** What a file of one secret holds. */
export interface SecretFile {
  /** Without the line's end. */
  readonly text: string
  /** A sentence about who else can read it. */
  readonly warning: string | undefined
}

/** Reads a file of one line; undefined when there is none. Throws `CONFIG_INVALID`. */
export async function readSecret(path: string): Promise<SecretFile | undefined> {
  try {
    const text = (await fs.readFile(path, 'utf8')).trim()
    const { mode } = await fs.stat(path)
    const open = (mode & 0o007) !== 0
    return { text, warning: open ? `${path} is open to everybody here: chmod 600` : undefined }
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return undefined
    throw unusable(path, 'read', cause)
  }
}

/**
 * Makes a file of one line for its owner alone, mode 0600, and returns what it holds; a file that is
 * there is kept. Throws `CONFIG_INVALID`.
 */
export async function keepSecret(path: string, make: () => string): Promise<SecretFile> {
  const present = await readSecret(path)
  if (present !== undefined) return present
  const text = make()
  const beside = `${path}.${randomUUID()}`
  try {
    await fs.mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await fs.writeFile(beside, `${text}\n`, { mode: 0o600, flush: true })
    // A link is made only where there is nothing: of two processes one wins, and both read its key.
    await fs.link(beside, path)
  } catch (cause) {
    if (!isCode(cause, 'EEXIST')) throw unusable(path, 'written', cause)
    return (await readSecret(path)) ?? { text, warning: undefined }
  } finally {
    await fs.rm(beside, { force: true })
  }
  await syncFolder(dirname(path))
  return { text, warning: undefined }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await fs.open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function unusable(path: string, done: string, cause: unknown): KernelError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const remedy = 'let the user of this process do that, or choose another place'
  return new KernelError('CONFIG_INVALID', `${path} cannot be ${done}: ${message}; ${remedy}`, {
    cause,
  })
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
