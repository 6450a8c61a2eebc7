import { type Disk, equalBytes, isKernelError, type LedgerIdentity } from '@helm-ai-kernel/core'
import {
  type AuditOptions,
  type AuditResult,
  type Check,
  createAudit,
  type HeldCheckpoint,
  verdictOf,
} from '@helm-ai-kernel/core/receipt'
import { identityOf } from './files.ts'
import { readHead } from './head.ts'
import { readPublished } from './published.ts'
import { isDiskError } from './read-file.ts'
import { type LogEnd, readLog } from './read-log.ts'
import { readSlots } from './tip.ts'
import { createTower } from './tower.ts'
import { checkDerived } from './verify-files.ts'

const maxAttempts = 16
const none = new Uint8Array()

/** What else to hold the ledger against: heads and receipts that were kept outside, trusted keys. */
export interface VerifyOptions extends Omit<AuditOptions, 'identity'> {
  /** Told of how many entries are verified, now and then, and of how many there are at least. */
  readonly progress?: (entries: number, atLeast: number) => void
}

/**
 * Verifies the files of a ledger (design 4.3): frames, then all that `createAudit` checks, with the
 * ledger's own tip and checkpoint as heads. Changes nothing and takes no lock, so it runs beside a
 * kernel; it then verifies a beginning that reaches the newest head. Throws `LEDGER_MISSING` when
 * there is none.
 */
export async function verifyLedger(disk: Disk, options: VerifyOptions): Promise<AuditResult> {
  try {
    const identity = await identityOf(disk)
    return await verifyNamed(disk, identity, options)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    const nothing = createAudit({ crypto: options.crypto }).finish()
    return { ...nothing, verdict: 'FAIL', checks: [failed('files', error.message)] }
  }
}

async function verifyNamed(
  disk: Disk,
  identity: LedgerIdentity,
  options: VerifyOptions,
): Promise<AuditResult> {
  // Heads first: a log that grows meanwhile still reaches them.
  const tips = await readTips(disk)
  const published = await readPublished(disk)
  const own = [...tips, ...(published === undefined ? [] : [{ ...published, name: 'checkpoint' }])]
  const checkpoints: readonly HeldCheckpoint[] = [...own, ...(options.checkpoints ?? [])]
  const atLeast = Math.max(...own.map(({ name, note }) => readHead(name, note)?.claim.size ?? 0), 0)
  const { crypto } = options
  const audit = createAudit({ parallel: true, ...options, identity, checkpoints })
  const derived = await checkDerived(disk, crypto, identity)
  const source = { disk, crypto, ledgerId: identity.ledgerId }
  const end = await readLog(source, createTower(crypto), async ({ first, entries, leaves }) => {
    for (const [i, entry] of entries.entries()) {
      const leaf = leaves[i]
      derived.add(audit.add(entry, leaf), leaf)
    }
    // Every core is at work until here, and the next entries are read when it is done.
    await audit.settled()
    const done = first + entries.length
    options.progress?.(done, Math.max(atLeast, done))
  })
  const result = audit.finish()
  const checks = [checkFiles(end), ...(await derived.finish()), ...result.checks]
  if (tips.length === 0) checks.push(failed('tip', 'ledger/tip holds no head'))
  if (published === undefined) {
    checks.push(failed('checkpoint', 'ledger/checkpoint is missing or is no checkpoint'))
  }
  return { ...result, verdict: verdictOf(checks), checks }
}

async function readTips(disk: Disk): Promise<readonly HeldCheckpoint[]> {
  const slots = await readStillSlots(disk)
  return slots.flatMap((note, i) => (note === undefined ? [] : [{ name: `tip_${i}`, note }]))
}

/** Slots as they stood still: a writer may be in the middle of one while it is read. */
async function readStillSlots(disk: Disk): Promise<readonly (Uint8Array | undefined)[]> {
  let slots = await readSlots(disk)
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const again = await readSlots(disk)
    const still = slots.every((slot, i) => equalBytes(slot ?? none, again[i] ?? none))
    if (still) break
    slots = again
  }
  return slots
}

function checkFiles({ size, tiled, segments, flaw }: LogEnd): Check {
  const name = 'files'
  const detail = `${size} entries in ${tiled} tiles and ${segments.length} segments`
  if (flaw === undefined) return { name, status: 'pass', detail }
  if (flaw.kind === 'corrupt' || flaw.damaged) return failed(name, flaw.detail)
  // What a writer has begun, now or when the power went, was never acknowledged.
  return {
    name,
    status: 'pass',
    detail: `${detail}; ${flaw.detail}, as in a write that never ended`,
  }
}

function isUnreadable(error: unknown): error is Error {
  return isKernelError(error) ? error.code === 'LEDGER_CORRUPT' : isDiskError(error)
}

function failed(name: string, detail: string): Check {
  return { name, status: 'fail', detail }
}
