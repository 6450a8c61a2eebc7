import { type Disk, type DiskError, isKernelError } from '@helm-ai-kernel/core'

/** All bytes of a file, or its first `limit`; undefined when there is none. */
export async function readFile(
  disk: Disk,
  path: string,
  limit: number = Number.MAX_SAFE_INTEGER,
): Promise<Uint8Array | undefined> {
  let file
  try {
    file = await disk.open(path, 'read')
  } catch (error) {
    if (isDiskError(error) && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return await file.read(0, Math.min(limit, await file.size()))
  } finally {
    await file.close()
  }
}

export function isDiskError(error: unknown): error is DiskError {
  if (!(error instanceof Error) || isKernelError(error)) return false
  return 'code' in error && typeof error.code === 'string'
}
