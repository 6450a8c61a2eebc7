import { performance } from 'node:perf_hooks'
import { resolve } from 'node:path'
import { parsePublicKey } from '@helm-ai-kernel/core'
import type { AuditResult, ReceiptId } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto, nodeDisk } from '@helm-ai-kernel/host'
import { verifyLedger } from '@helm-ai-kernel/ledger'
import { answerChecks } from '../checks.ts'
import { type Command, type Given, valueOf } from '../command.ts'
import { readFile } from '../files.ts'
import type { Io } from '../io.ts'
import { clientFlags, kernelClient } from '../kernel-client.ts'
import { kernelTiles } from '../log-source.ts'
import { usage } from '../parse.ts'
import { createProgress } from '../progress.ts'
import { receiptIn } from '../receipt-file.ts'
import { verifyLog, type VerifyLogOptions } from '../verify-log.ts'

const name = 'ledger verify'

export const ledgerVerify: Command = {
  summary: 'verify a ledger, also one in use; exit code 1 when anything is wrong',
  usage: '[--data-dir DIR | --url URL] [--checkpoint FILE] [--receipt FILE] [--key HEX]',
  example: 'ledger verify --data-dir .helm --checkpoint yesterday.note',
  flags: {
    'data-dir': { value: 'DIR', summary: 'its files; HELM_DATA_DIR or ./.helm when absent' },
    url: {
      value: 'URL',
      summary: 'a running kernel, whatever its storage, with a key that audits',
    },
    'api-key-file': clientFlags['api-key-file'],
    checkpoint: { value: 'FILE', summary: 'a checkpoint that was kept outside', many: true },
    receipt: { value: 'FILE', summary: 'a receipt that was kept outside', many: true },
    key: { value: 'HEX', summary: 'public key that the ledger must be of', many: true },
  },
  operands: [0, 0],
  details: [
    'With --url what the newest checkpoint covers is read from /log/, entry by entry: all that the files',
    'would tell but whether they are whole. The admin key may read it, and a key with the role audit where',
    'the log is public.',
  ],
  async run(given, io) {
    const keys = given.flags.get('key')
    const held = {
      checkpoints: await readCheckpoints(io, given.flags.get('checkpoint') ?? []),
      receipts: await readReceipts(io, given.flags.get('receipt') ?? []),
      ...(keys && { pinnedKeys: keys.map((hex) => parsePublicKey(hex, '--key')) }),
    }
    const { tell, end } = createProgress(io, 'entries', () => performance.now())
    const options = { crypto: nodeCrypto, ...held, progress: tell }
    const { checks, counts, tree } = await verify(given, io, options).finally(end)
    const size = `${tree.size} entries, root ${tree.root}`
    const outcomes = counts.unresolved > 0 && checks.find((check) => check.name === 'outcomes')
    const notes = outcomes ? [`warning: ${outcomes.detail}`, size] : [size]
    return answerChecks(io, given, checks, { counts, tree }, notes)
  },
}

async function verify(given: Given, io: Io, options: VerifyLogOptions): Promise<AuditResult> {
  if (valueOf(given, 'url') === undefined) {
    const folder = valueOf(given, 'data-dir') ?? (io.env['HELM_DATA_DIR'] || '.helm')
    return verifyLedger(nodeDisk(resolve(io.cwd, folder)), options)
  }
  if (valueOf(given, 'data-dir') !== undefined) throw usage(name, 'give --data-dir or --url')
  return verifyLog(kernelTiles(await kernelClient(name, given, io)), options)
}

async function readCheckpoints(io: Io, paths: readonly string[]) {
  return Promise.all(paths.map(async (path) => ({ name: path, note: await readFile(io, path) })))
}

async function readReceipts(io: Io, paths: readonly string[]): Promise<readonly ReceiptId[]> {
  return Promise.all(paths.map(async (path) => receiptIn(await readFile(io, path), path)))
}
