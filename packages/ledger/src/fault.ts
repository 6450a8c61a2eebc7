import { isKernelError, KernelError, type LedgerCode, type LedgerFault } from '@helm-ai-kernel/core'
import { isDiskError } from './read-file.ts'

/** `LEDGER_ROLLED_BACK` needs somebody else's word: the files of one kernel do not say it. */
type FaultCode = Exclude<LedgerCode, 'LEDGER_ROLLED_BACK'>

const restore =
  'keep the data directory as evidence, then restore a whole copy that is at least as new; ' +
  '`ledger verify` tells which entries are good'

const fixes = {
  LEDGER_UNAVAILABLE: 'check the disk of the data directory; the ledger goes on by itself',
  LEDGER_FULL: 'make room on the disk of the data directory; the ledger goes on by itself',
  LEDGER_TRUNCATED: restore,
  LEDGER_CORRUPT: restore,
  LEDGER_MISSING:
    'mount the data directory that holds the ledger, or let HELM_LEDGER_INIT=auto begin a new one',
} as const satisfies Record<FaultCode, string>

export function faultOf(code: FaultCode, detail: string, fix: string = fixes[code]): LedgerFault {
  return Object.freeze({ code, detail, fix })
}

/** What an error of the disk, or of the guard before each batch, means for the ledger. */
export function faultFrom(error: unknown): LedgerFault {
  const detail = messageOf(error)
  if (isFull(error)) return faultOf('LEDGER_FULL', `the disk is full: ${detail}`)
  if (isKernelError(error, 'LEDGER_LOCKED')) {
    return faultOf(
      'LEDGER_UNAVAILABLE',
      detail,
      'stop the other process, then start this one again',
    )
  }
  return faultOf('LEDGER_UNAVAILABLE', `the disk failed: ${detail}`)
}

export function errorOf({ code, detail, fix }: LedgerFault, cause?: unknown): KernelError {
  // A ledger that is not there is no reason that a decision may name: it cannot be recorded, that is all.
  return code === 'LEDGER_MISSING'
    ? new KernelError('LEDGER_UNAVAILABLE', `${code}: ${detail}; ${fix}`, { cause })
    : new KernelError(code, `${detail}; ${fix}`, { cause })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const remedies: Readonly<Record<string, string>> = {
  EACCES: 'let the user of this process write there',
  EPERM: 'let the user of this process write there',
  EROFS: 'mount it writable, or choose another data directory',
  ENOTDIR: 'a file is where a folder must be: choose another data directory',
  ENOSPC: 'make room on its disk',
}

/** An error while opening, with what to do about it. */
export function explained(error: unknown): unknown {
  if (!isDiskError(error)) return error
  const remedy = remedies[error.code] ?? 'check its disk'
  const message = `the data directory cannot be used: ${error.message}; ${remedy}`
  return new KernelError('LEDGER_UNAVAILABLE', message, { cause: error })
}

function isFull(error: unknown): boolean {
  return isDiskError(error) && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
