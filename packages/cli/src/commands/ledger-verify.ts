import { performance } from 'node:perf_hooks'
import { resolve } from 'node:path'
import { parsePublicKey } from '@helm-ai-kernel/core'
import type { ReceiptId } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto, nodeDisk } from '@helm-ai-kernel/host'
import { verifyLedger } from '@helm-ai-kernel/ledger'
import { answerChecks } from '../checks.ts'
import { type Command, valueOf } from '../command.ts'
import { readFile } from '../files.ts'
import type { Io } from '../io.ts'
import { createProgress } from '../progress.ts'
import { receiptIn } from '../receipt-file.ts'

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
    const outcomes = counts.unresolved > 0 && checks.find((check) => check.name === 'outcomes')
    const notes = outcomes ? [`warning: ${outcomes.detail}`, size] : [size]
    return answerChecks(io, given, checks, { counts, tree }, notes)
  },
}

async function readCheckpoints(io: Io, paths: readonly string[]) {
  return Promise.all(paths.map(async (path) => ({ name: path, note: await readFile(io, path) })))
}

async function readReceipts(io: Io, paths: readonly string[]): Promise<readonly ReceiptId[]> {
  return Promise.all(paths.map(async (path) => receiptIn(await readFile(io, path), path)))
}
