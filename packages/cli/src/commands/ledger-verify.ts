import { performance } from 'node:perf_hooks'
import { resolve } from 'node:path'
import {
  canonicalBytes,
  decodeJson,
  isObject,
  KernelError,
  parsePublicKey,
} from '@helm-ai-kernel/core'
import { decodeEntry, isReceiptId, type ReceiptId, receiptIdOf } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto, nodeDisk } from '@helm-ai-kernel/host'
import { verifyLedger } from '@helm-ai-kernel/ledger'
import { answerChecks } from '../checks.ts'
import { type Command, valueOf } from '../command.ts'
import { readFile } from '../files.ts'
import type { Io } from '../io.ts'
import { createProgress } from '../progress.ts'

export const ledgerVerify: Command = {
  summary: 'verify the files of a ledger, also of one in use; exit code 1 when anything is wrong',
  usage: '[--data-dir DIR] [--checkpoint FILE] [--receipt FILE] [--key HEX]',
  example: 'ledger verify --data-dir .helm --checkpoint yesterday.note',
  flags: {
    'data-dir': { value: 'DIR', summary: 'HELM_DATA_DIR or ./.helm when absent' },
    checkpoint: { value: 'FILE', summary: 'a checkpoint that was kept outside', many: true },
    receipt: { value: 'FILE', summary: 'a receipt that was kept outside', many: true },
    key: { value: 'HEX', summary: 'public key that the ledger must be of', many: true },
  },
  operands: [0, 0],
  async run(given, io) {
    const folder = valueOf(given, 'data-dir') ?? (io.env['HELM_DATA_DIR'] || '.helm')
    const keys = given.flags.get('key')
    const held = {
      checkpoints: await readCheckpoints(io, given.flags.get('checkpoint') ?? []),
      receipts: await readReceipts(io, given.flags.get('receipt') ?? []),
      ...(keys && { pinnedKeys: keys.map((hex) => parsePublicKey(hex, '--key')) }),
    }
    const disk = nodeDisk(resolve(io.cwd, folder))
    const { tell, end } = createProgress(io, 'entries', () => performance.now())
    const verifying = verifyLedger(disk, { crypto: nodeCrypto, ...held, progress: tell })
    const { checks, counts, tree } = await verifying.finally(end)
    const size = `${tree.size} entries, root ${tree.root}`
    return answerChecks(io, given, checks, { counts, tree }, [size])
  },
}

async function readCheckpoints(io: Io, paths: readonly string[]) {
  return Promise.all(paths.map(async (path) => ({ name: path, note: await readFile(io, path) })))
}

async function readReceipts(io: Io, paths: readonly string[]): Promise<readonly ReceiptId[]> {
  return Promise.all(paths.map(async (path) => receiptIn(await readFile(io, path), path)))
}

/**
 * The id of a receipt as somebody may hold it: the entry itself, or the JSON in which a kernel gave it.
 * An entry counts for more than the id beside it. Throws `RECEIPT_MALFORMED`.
 */
function receiptIn(bytes: Uint8Array, path: string): ReceiptId {
  const code = 'RECEIPT_MALFORMED'
  const json = decodeJson(bytes, { maxBytes: 1 << 20, code, what: path })
  const held = isObject(json) ? json : {}
  const entry = held['payload'] === undefined ? held['entry'] : held
  if (entry !== undefined) {
    const canonical = canonicalBytes(entry)
    decodeEntry(canonical)
    return receiptIdOf(nodeCrypto.sha256(canonical))
  }
  const id = held['receipt_id']
  if (isReceiptId(id)) return id
  throw new KernelError(code, `${path} has neither an entry nor a receipt_id`)
}
