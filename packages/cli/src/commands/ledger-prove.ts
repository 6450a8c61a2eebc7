import { resolve } from 'node:path'
import { isKernelError, KernelError } from '@helm-ai-kernel/core'
import {
  checkContinuation,
  claimedCheckpoint,
  formatProof,
  openHead,
  proveInclusion,
} from '@helm-ai-kernel/core/log'
import { isReceiptId } from '@helm-ai-kernel/core/receipt'
import { hostClock, nodeCrypto as crypto, nodeDisk } from '@helm-ai-kernel/host'
import { answerChecks, checkSteps } from '../checks.ts'
import { type Command, type Given, valueOf } from '../command.ts'
import { readFile, replaceFile } from '../files.ts'
import type { Io } from '../io.ts'
import { clientFlags, kernelClient } from '../kernel-client.ts'
import { cosignersIn, logKeyFlags, logKeysIn } from '../log-keys.ts'
import { filesLog, kernelLog, type LogSource, type Placed } from '../log-source.ts'
import { usage } from '../parse.ts'
import { defaultScope, scopeFlag } from '../policy-file.ts'
import { print } from '../print.ts'
import { checkProof } from '../proof-checks.ts'
import { entryIn } from '../receipt-file.ts'

const name = 'ledger prove'

export const ledgerProve: Command = {
  summary: 'prove that a receipt is in the log, or that history is unchanged; also offline',
  usage: '<receipt_id> | --check PROOF | --from CHECKPOINT [flags]',
  example: `ledger prove rcpt-${'0'.repeat(64)} --out refund.tlog-proof`,
  flags: {
    out: { value: 'FILE', summary: 'put the proof here; on stdout when absent' },
    checkpoint: {
      value: 'FILE',
      summary: 'prove it in this tree, such as one that a witness cosigned; the newest when absent',
    },
    check: { value: 'FILE', summary: 'check this proof of --entry, offline; needs --log-key' },
    entry: { value: 'FILE', summary: 'the receipt, as receipts show --json gives it' },
    witness: {
      value: 'KEY',
      summary: 'key of a witness that must have cosigned the checkpoint',
      many: true,
    },
    from: {
      value: 'FILE',
      summary: 'prove that the log continues this checkpoint; exit code 1 when it does not',
    },
    ...logKeyFlags,
    'data-dir': { value: 'DIR', summary: 'read the files of a ledger, not a running kernel' },
    scope: {
      value: 'T/W',
      summary: 'of the receipt, with --data-dir; default/default when absent',
    },
    ...clientFlags,
  },
  operands: [0, 1],
  details: ['A proof is a C2SP tlog-proof file; it is checked before it is written.'],
  async run(given, io) {
    const [id] = given.operands
    const [check, from] = [valueOf(given, 'check'), valueOf(given, 'from')]
    if ([id, check, from].filter((one) => one !== undefined).length !== 1) {
      throw usage(name, 'give one of a receipt id, --check and --from')
    }
    if (check !== undefined) return checkFile(given, io, check)
    const source = await sourceOf(given, io)
    return id === undefined
      ? proveHistory(given, io, source, from ?? '')
      : proveReceipt(given, io, source, id)
  },
}

async function proveReceipt(
  given: Given,
  io: Io,
  source: LogSource,
  receiptId: string,
): Promise<number> {
  if (!isReceiptId(receiptId)) throw usage(name, 'a receipt id is rcpt- and 64 lowercase hex')
  const pinned = logKeysIn(name, given)
  const witnesses = cosignersIn(given)
  const path = valueOf(given, 'checkpoint')
  const placed = await source.place(receiptId)
  const { entry, logIndex: index } = placed
  const checkpoint = path === undefined ? await covering(source, placed) : await readFile(io, path)
  const { size } = claimedCheckpoint(checkpoint)
  const hashes = await proveInclusion(crypto, source.tiles, index, size)
  const proof = formatProof({ index, hashes, checkpoint })
  const keys = pinned ?? (await source.logKeys())
  const expected = { entry, receiptId, keys, pinned: pinned !== undefined, witnesses }
  const checks = checkProof(proof, expected)
  const good = checks.every(({ status }) => status !== 'fail')

  const out = valueOf(given, 'out')
  if (good && out !== undefined) await replaceFile(io, out, proof)
  const text = new TextDecoder().decode(proof)
  if (good && out === undefined && !given.flags.has('json')) {
    print(io, 'stdout', text.split('\n').slice(0, -1))
    return 0
  }
  const told = { receipt_id: receiptId, log_index: index, size, file: out ?? null }
  return answerChecks(io, given, checks, { ...told, ...(good && { proof: text }) })
}

async function checkFile(given: Given, io: Io, path: string): Promise<number> {
  const entryPath = valueOf(given, 'entry')
  if (entryPath === undefined) throw usage(name, '--check needs the receipt, with --entry')
  // INVARIANT: what is checked never says by which key.
  const keys = logKeysIn(name, given)
  if (keys === undefined) throw usage(name, '--check needs the key of the log, with --log-key')
  const entry = entryIn(await readFile(io, entryPath), entryPath)
  const proof = await readFile(io, path)
  const expected = { entry, keys, pinned: true, witnesses: cosignersIn(given) }
  return answerChecks(io, given, checkProof(proof, expected))
}

async function proveHistory(
  given: Given,
  io: Io,
  source: LogSource,
  path: string,
): Promise<number> {
  const held = await readFile(io, path)
  const pinned = logKeysIn(name, given)
  const { origin, verifiers } = pinned ?? (await source.logKeys())
  const by = [...verifiers, ...cosignersIn(given)]
  const newest = (await source.tiles.checkpoint()) ?? unpublished()
  const [last, next] = [claimedCheckpoint(held), claimedCheckpoint(newest)]
  const changed = await checkContinuation(crypto, last, next, source.tiles).catch(refusalOf)
  const checks = checkSteps(
    ['held', 'newest', 'history'],
    (function* () {
      openHead(held, origin, by, crypto)
      yield `${origin} had ${last.size} entries`
      openHead(newest, origin, verifiers, crypto)
      yield `${origin} has ${next.size} entries`
      if (changed !== undefined) throw changed
      yield `unchanged since size ${last.size}`
    })(),
  )
  return answerChecks(io, given, checks, { from: last.size, to: next.size, origin })
}

/** The newest checkpoint that has the entry; a kernel publishes one a second. */
async function covering(source: LogSource, { logIndex }: Placed): Promise<Uint8Array> {
  for (let patience = source.grows ? 20 : 0; ; patience--) {
    const note = await source.tiles.checkpoint()
    if (note !== undefined && claimedCheckpoint(note).size > logIndex) return note
    if (patience === 0) return unpublished()
    await hostClock.sleep(250)
  }
}

async function sourceOf(given: Given, io: Io): Promise<LogSource> {
  const folder = valueOf(given, 'data-dir')
  if (folder === undefined) return kernelLog(await kernelClient(name, given, io))
  if (given.flags.has('url')) throw usage(name, 'give one of --data-dir and --url')
  return filesLog(nodeDisk(resolve(io.cwd, folder)), scopeFlag(name, given) ?? defaultScope)
}

/** What the log shows, or does not: anything else says nothing of its history. */
function refusalOf(error: unknown): KernelError {
  if (isKernelError(error) && /^(LOG_|PROOF_INVALID|BYTES_INVALID)/.test(error.code)) return error
  throw error
}

function unpublished(): never {
  throw new KernelError(
    'NOT_FOUND',
    'no checkpoint is published that covers it: a kernel publishes one a second, and when it stops',
  )
}
