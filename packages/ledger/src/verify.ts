import {
  type Disk,
  equalBytes,
  isKernelError,
  KernelError,
  type LedgerIdentity,
} from '@helm-ai-kernel/core'
import {
  type AuditOptions,
  type AuditResult,
  type Check,
  createAudit,
  type HeldCheckpoint,
  verdictOf,
} from '@helm-ai-kernel/core/receipt'
import { readHead } from './head.ts'
import { readIdentity } from './identity.ts'
import { findTrace } from './make.ts'
import { readPublished } from './published.ts'
import { isDiskError } from './read-file.ts'
import { type LogEnd, readLog } from './read-log.ts'
import { readSlots } from './tip.ts'

const maxAttempts = 16
const none = new Uint8Array()

/** What else to hold the ledger against: heads and receipts that were kept outside, trusted keys. */
export interface VerifyOptions extends Omit<AuditOptions, 'identity'> {
  /** Told of each entry read, and of how many there are at least. */
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

async function identityOf(disk: Disk): Promise<LedgerIdentity> {
  const identity = await readIdentity(disk)
  if (identity !== undefined) return identity
  const trace = await findTrace(disk)
  if (trace !== undefined) throw new KernelError('LEDGER_CORRUPT', trace)
  throw new KernelError('LEDGER_MISSING', 'there is no ledger here: give the data directory of one')
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
  const audit = createAudit({ ...options, identity, checkpoints })
  const end = await readLog(disk, identity.ledgerId, ({ logIndex, entry }) => {
    audit.add(entry)
    options.progress?.(logIndex + 1, Math.max(atLeast, logIndex + 1))
  })
  const result = audit.finish()
  const checks = [checkFiles(end), ...result.checks]
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

function checkFiles({ size, segments, flaw }: LogEnd): Check {
  const name = 'files'
  const detail = `${size} entries in ${segments.length} segments`
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
