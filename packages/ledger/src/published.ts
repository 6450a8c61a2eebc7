import type { Disk } from '@helm-ai-kernel/core'
import { type Head, readHead } from './head.ts'
import { readFile } from './read-file.ts'
import { replaceFile } from './replace-file.ts'

const path = 'ledger/checkpoint'

/** The checkpoint file: the head that the world may see. */
export async function readPublished(disk: Disk): Promise<Head | undefined> {
  const note = await readFile(disk, path)
  return note && readHead(path, note)
}

export async function writePublished(disk: Disk, note: Uint8Array): Promise<void> {
  await replaceFile(disk, path, note)
}
