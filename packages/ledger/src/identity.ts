import {
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  isKernelError,
  KernelError,
  type Disk,
  type LedgerIdentity,
  type Random,
} from '@helm-ai-kernel/core'
import { parseOrigin } from '@helm-ai-kernel/core/log'
import { readFile } from './read-file.ts'
import { replaceFile } from './replace-file.ts'

// Two lines, origin and ledger id: what is fixed when the ledger is made. It is written last then,
// so a ledger that has it has a checkpoint and a tip too.
const path = 'ledger/origin'

export function createIdentity(origin: string, random: Random): LedgerIdentity {
  return Object.freeze({ origin: parseOrigin(origin), ledgerId: encodeHex(random.bytes(16)) })
}

export async function writeIdentity(disk: Disk, identity: LedgerIdentity): Promise<void> {
  await replaceFile(disk, path, encodeUtf8(`${identity.origin}\n${identity.ledgerId}\n`))
}

/** Undefined when there is no such file. Throws `LEDGER_CORRUPT`. */
export async function readIdentity(disk: Disk): Promise<LedgerIdentity | undefined> {
  const bytes = await readFile(disk, path)
  if (bytes === undefined) return undefined
  try {
    const [, origin = '', ledgerId] = /^([^\n]+)\n([0-9a-f]{32})\n$/.exec(decodeUtf8(bytes)) ?? []
    if (ledgerId !== undefined) return Object.freeze({ origin: parseOrigin(origin), ledgerId })
  } catch (error) {
    // No UTF-8 and no origin are the same damage, said below.
    if (!isKernelError(error)) throw error
  }
  throw new KernelError('LEDGER_CORRUPT', `${path} is not two lines of origin and ledger id`)
}
