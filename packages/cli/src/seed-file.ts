import { Buffer } from 'node:buffer'
import { parseSeed } from '@helm-ai-kernel/core'
import { readFile } from './files.ts'
import type { Io } from './io.ts'

/** The seed in a file that keygen made. Throws `FILE_UNUSABLE`, or `KEY_INVALID` without showing it. */
export async function readSeed(io: Io, path: string): Promise<Uint8Array> {
  const text = Buffer.from(await readFile(io, path)).toString('latin1')
  return parseSeed(text.replace(/\r?\n$/, ''), `the seed in ${path}`)
}
