import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  digest,
  type Draft,
  encodeHex,
  type Seal,
  sealDrafts,
  signer,
  systemScope,
} from '@helm-ai-kernel/core'
import { type DecisionBody } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto, nodeDisk, socketLock } from '@helm-ai-kernel/host'
import { openLedger } from '@helm-ai-kernel/ledger'
import { hostPorts } from './host.ts'
import { scope } from './policy.ts'

const seed = new Uint8Array(32).fill(5)
const key = signer(seed, nodeCrypto)
const perCall = 64
const callsAtOnce = 8

/**
 * The data directory of a kernel that has made so many decisions, with its key. It takes minutes to
 * make, so it is kept beside the results of the system's temporary folder and used again.
 */
export async function ledgerOf(receipts: number): Promise<string> {
  const folder = join(tmpdir(), `helm-bench-ledger-${receipts}`)
  if (existsSync(folder)) return folder
  const making = `${folder}.making`
  rmSync(making, { recursive: true, force: true })
  const file = join(making, 'keys', 'receipt.key')
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, `${encodeHex(seed)}\n`, { mode: 0o600 })
  await fill(making, receipts)
  renameSync(making, folder)
  return folder
}

async function fill(folder: string, receipts: number): Promise<void> {
  const ledger = await openLedger({
    ...hostPorts,
    crypto: nodeCrypto,
    disk: nodeDisk(folder),
    lock: socketLock(folder),
    who: { pid: process.pid, host: 'bench', since: new Date().toISOString() },
    log: key.log,
  })
  const { identity } = ledger
  if (identity === undefined) throw new Error('the new ledger has no name')
  let now = Date.now() - receipts
  const seal: Seal = (state, drafts) =>
    sealDrafts(
      { crypto: nodeCrypto, signer: key, identity, kernel: '0.0.0', now: now++ },
      state,
      drafts,
    )
  await ledger.append([began], seal)
  for (let made = 1; made < receipts;) {
    const calls = Array.from({ length: callsAtOnce }, () => {
      const count = Math.min(perCall, receipts - made)
      const drafts = Array.from({ length: count }, (_, i) => decision(made + i))
      made += count
      return drafts
    })
    await Promise.all(calls.map((drafts) => ledger.append(drafts, seal)))
    if (made % 65_536 < perCall * callsAtOnce) {
      process.stderr.write(`making a ledger: ${made} of ${receipts}\n`)
    }
  }
  await ledger.close()
}

const began: Draft = {
  scope: systemScope,
  body: {
    kind: 'key',
    event: 'began',
    subject_key_id: key.keyId,
    public_key: encodeHex(key.publicKey),
    log_public_key: encodeHex(key.log.publicKey),
    endorsed: true,
  },
}

/** Decisions as a busy agent makes them: a hundred actions, some thousand resources and sessions. */
function decision(i: number): Draft {
  const body: DecisionBody = {
    kind: 'decision',
    surface: 'evaluate',
    request_id: encodeHex(nodeCrypto.sha256(Uint8Array.of(i, i >> 8, i >> 16)).subarray(0, 16)),
    auth: { credential: 'admin', method: 'key' },
    principal: `agent:${i % 50}`,
    session_id: `session-${i >> 8}`,
    action: `tool-${i % 100}.call`,
    resource: `account:${i % 5000}`,
    args_hash: hashOf(i),
    context_hash: hashOf(i + 1),
    policy_epoch: null,
    policy_hash: null,
    policy_signed: null,
    policy_verified_at: null,
    verdict: 'DENY',
    reason_code: 'POLICY_NOT_READY',
    rule_ids: [],
    links: {},
  }
  return { scope, body }
}

function hashOf(i: number): DecisionBody['args_hash'] {
  return digest(nodeCrypto, Uint8Array.of(i, i >> 8, i >> 16, i >> 24))
}
