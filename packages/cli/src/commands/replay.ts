import { performance } from 'node:perf_hooks'
import { resolve } from 'node:path'
import { isTimestamp, type KernelSigner, type KeyId, scopeKey, signer } from '@helm-ai-kernel/core'
import { fileKeep, nodeCrypto, nodeDisk } from '@helm-ai-kernel/host'
import { readLedger } from '@helm-ai-kernel/ledger'
import { type Command, type Given, valueOf } from '../command.ts'
import type { Io } from '../io.ts'
import { usage } from '../parse.ts'
import { compileUnverified, readPolicy, scopeFlag } from '../policy-file.ts'
import { answer } from '../print.ts'
import { createProgress } from '../progress.ts'
import { codeOf, documentOf, linesOf } from '../replay/print.ts'
import { replayDecisions } from '../replay/replay.ts'
import { readSeed } from '../seed-file.ts'

const name = 'replay'

export const replay: Command = {
  summary: 'decide recorded decisions again by another policy: which verdicts would change',
  usage: '--bundle FILE [--data-dir DIR] [--scope TENANT/WORKSPACE] [flags]',
  example: 'replay --bundle policy.yaml --data-dir ./data --from 2026-11-01T00:00:00.000Z',
  flags: {
    bundle: { value: 'FILE', summary: 'the candidate: a bundle or a policy; nothing is verified' },
    'data-dir': { value: 'DIR', summary: 'HELM_DATA_DIR or ./.helm when absent' },
    scope: { value: 'TENANT/WORKSPACE', summary: "the candidate's own when absent" },
    from: { value: 'TIME', summary: 'not before, such as 2026-11-22T06:00:00.000Z' },
    to: { value: 'TIME', summary: 'not after' },
    limit: { value: 'N', summary: 'at most so many decisions, oldest first; all when absent' },
    'signing-key-file': {
      value: 'FILE',
      summary: 'seed of the ledger, to check stored arguments against receipts',
      many: true,
    },
  },
  operands: [0, 0],
  details: [
    'Only decisions that rules made, and whose arguments were stored (HELM_RECEIPT_ARGS=store), can be',
    'decided again; the others are counted. The exit code is 0 when no verdict changes, 1 when any does,',
    'and 2 when no decision could be replayed or stored arguments are not those of their receipt.',
  ],
  async run(given, io) {
    const path = valueOf(given, 'bundle')
    if (path === undefined) throw usage(name, '--bundle is missing')
    const { snapshot } = compileUnverified(await readPolicy(io, path))
    const scope = scopeFlag(name, given) ?? snapshot.scope
    const folder = valueOf(given, 'data-dir') ?? (io.env['HELM_DATA_DIR'] || '.helm')
    const disk = nodeDisk(resolve(io.cwd, folder))
    const range = { scope, from: timeFlag(given, 'from'), to: timeFlag(given, 'to') }
    const limit = limitFlag(given)
    const signers = await readSigners(given, io)
    const receipts = await readLedger(disk, nodeCrypto)
    const { tell, end } = createProgress(io, 'decisions', () => performance.now())
    const replaying = replayDecisions({
      ...{ receipts, keep: fileKeep(disk), candidate: snapshot, range, limit, signers },
      progress: (decisions) => tell(decisions, Math.max(decisions, receipts.size)),
    })
    const result = await replaying.finally(end)
    const from = { scope: scopeKey(scope), file: path, policy: snapshot }
    return answer(io, given, documentOf(result, from), linesOf(result, from), codeOf(result))
  },
}

function timeFlag(given: Given, flag: string): string | undefined {
  const text = valueOf(given, flag)
  if (text === undefined || isTimestamp(text)) return text
  throw usage(name, `--${flag} is a time such as 2026-11-22T06:00:00.000Z`)
}

function limitFlag(given: Given): number {
  const text = valueOf(given, 'limit')
  if (text === undefined) return Infinity
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text)
  throw usage(name, '--limit is a whole number from 1')
}

async function readSigners(given: Given, io: Io): Promise<ReadonlyMap<KeyId, KernelSigner>> {
  const paths = given.flags.get('signing-key-file') ?? []
  const signers = await Promise.all(
    paths.map(async (path) => signer(await readSeed(io, path), nodeCrypto)),
  )
  return new Map(signers.map((one) => [one.keyId, one]))
}
