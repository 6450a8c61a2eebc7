import { Buffer } from 'node:buffer'
import { KernelError } from '@helm-ai-kernel/core'
import { type Given, valueOf } from './command.ts'
import { readFile } from './files.ts'
import type { Io } from './io.ts'

/**
 * The headers of the caller's API key: of the file that `--api-key-file` names, else of the first of
 * `variables` that is set; none without either. Throws `AUTH_MALFORMED`.
 */
export async function credentialOf(
  given: Given,
  io: Io,
  variables: readonly string[],
): Promise<Record<string, string>> {
  const file = valueOf(given, 'api-key-file')
  const key =
    file === undefined
      ? variables.map((variable) => io.env[variable]).find((value) => value)
      : Buffer.from(await readFile(io, file))
          .toString('latin1')
          .trim()
  if (!key) return {}
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new KernelError('AUTH_MALFORMED', 'the API key has characters that no key has')
  }
  return { authorization: `Bearer ${key}` }
}
