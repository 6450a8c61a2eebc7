import type { Disk } from '@helm-ai-kernel/core'

/** Ends the name of a file that is not whole yet, and may be left by a power cut. */
export const temporarySuffix = '.tmp'

/** Puts `bytes` at `path` so that after a power cut there is the old file or the new, whole. */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = path + temporarySuffix
  const file = await disk.open(temporary, 'scratch')
  try {
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
}
