import type { Disk } from '@helm-ai-kernel/core'

/** Puts `bytes` at `path` so that after a power cut there is the old file or the new, whole. */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await disk.open(temporary, 'create')
  try {
    await file.truncate(0)
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
}
