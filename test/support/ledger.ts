import { setImmediate as turn } from 'node:timers/promises'
import {
  type Clock,
  type Disk,
  type Draft,
  type Ledger,
  type LedgerIdentity,
  type ReceiptStore,
  type Seal,
  sealDrafts,
  type Stored,
  timestamp,
} from '@helm-ai-kernel/core'
import { createAudit, type DecisionBody } from '@helm-ai-kernel/core/receipt'
import { type LedgerOptions, openLedger } from '@helm-ai-kernel/ledger'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { fakeClock } from './clock.ts'
import { seededRandom } from './kernel.ts'
import { acme, began, decision, signerOf } from './log-entries.ts'
import { memoryDisk, type Files } from './memory-disk.ts'
import { memoryLock } from './memory-lock.ts'
import { now } from './policy.ts'

export const key = signerOf(1)

/** Opens a ledger whose surroundings, but for the disk, are in memory. */
export function openOn(disk: Disk, more: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return openLedger({
    disk,
    lock: memoryLock(),
    who: { pid: 1, host: 'test', since: timestamp(now) },
    clock: fakeClock(),
    random: seededRandom(),
    crypto,
    log: key.log,
    ...more,
  })
}

/** Seals as a kernel does, with a key of the tests. */
export function sealer(identity: LedgerIdentity | undefined, clock: Clock = fakeClock()): Seal {
  if (identity === undefined) throw new Error('a lost ledger has no identity')
  return (state, drafts) =>
    sealDrafts({ crypto, signer: key, identity, kernel: '0.0.0', now: clock.now() }, state, drafts)
}

/** A decision that tells itself from others: else the same draft in the same place is one receipt. */
export function asking(action: string, more: Partial<DecisionBody> = {}): Draft {
  const { scope, body } = decision(acme, null)
  if (body.kind !== 'decision') throw new Error('unreachable')
  return { scope, body: { ...body, action, ...more } }
}

/** Appends one draft and gives its receipt. */
export async function append(
  ledger: ReceiptStore & Pick<Ledger, 'identity'>,
  draft: Draft,
): Promise<Stored> {
  const [result] = await ledger.append([draft], sealer(ledger.identity))
  if (result === undefined || 'refused' in result) throw new Error('the draft was refused')
  return result
}

/** Resolves once the first `blocks` tiles of entries stand for their segments. */
export async function tiled(disk: Disk, blocks: number): Promise<void> {
  for (let waited = 0; waited < 10_000; waited++) {
    const [first] = await disk.list('ledger/wal')
    if (Number(first) >= blocks * 256) return
    await turn()
  }
  throw new Error(`there are no ${blocks} tiles`)
}

/** The files of a ledger with the receipt of its key and these batches, closed. */
export async function ledgerFiles(...batches: readonly (readonly Draft[])[]): Promise<Files> {
  const disk = memoryDisk()
  const ledger = await openOn(disk)
  for (const drafts of [[began(key)], ...batches]) {
    await ledger.append(drafts, sealer(ledger.identity))
  }
  await ledger.close()
  return disk.files()
}

/** All receipts of a ledger, which must be open and well and pass an audit. */
export async function audited(ledger: Ledger): Promise<readonly Stored[]> {
  const { identity } = ledger
  const fault = ledger.health()
  if (identity === undefined || fault !== undefined) throw new Error(JSON.stringify(fault))
  const { size } = await ledger.state()
  const receipts = await ledger.read(0, size)
  const note = (await ledger.checkpoint()) ?? new Uint8Array()
  const audit = createAudit({ crypto, identity, checkpoints: [{ name: 'checkpoint', note }] })
  for (const { entry } of receipts) audit.add(entry)
  const { verdict, checks } = audit.finish()
  if (verdict === 'FAIL' && size > 0) throw new Error(JSON.stringify(checks, null, 1))
  return receipts
}
