import {
  isKernelError,
  KernelError,
  type LedgerCode,
  type LedgerFault,
  messageOf,
} from '@helm-ai-kernel/core'
import { sqlStateOf } from './client.ts'

const restore =
  'stop all replicas, keep the database as evidence, then restore one that is at least as new and ' +
  'start again; `ledger verify` tells which entries are good'

const fixes = {
  LEDGER_UNAVAILABLE: 'check the database of DATABASE_URL; the ledger goes on by itself',
  LEDGER_FULL: 'make room on the disk of the database; the ledger goes on by itself',
  LEDGER_TRUNCATED: restore,
  LEDGER_CORRUPT: restore,
  LEDGER_ROLLED_BACK: restore,
  LEDGER_MISSING:
    'name the database that holds the ledger in DATABASE_URL, or let HELM_LEDGER_INIT=auto begin a new one',
} as const satisfies Record<LedgerCode, string>

/** What the server's SQLSTATE means, where its message alone is no help. */
const remedies: Readonly<Record<string, string>> = {
  '28P01': 'correct the password in DATABASE_URL',
  '28000': 'let the server accept this user, database and TLS (pg_hba.conf)',
  '3D000': 'create the database, or correct its name in DATABASE_URL',
  '53300': 'raise max_connections: a replica needs five',
  '25006': 'name the primary in DATABASE_URL',
}

export function faultOf(code: LedgerCode, detail: string, fix: string = fixes[code]): LedgerFault {
  return Object.freeze({ code, detail, fix })
}

export const closed: LedgerFault = faultOf(
  'LEDGER_UNAVAILABLE',
  'the ledger is closed',
  'open it again',
)

/** What a failure of the database means for the ledger. */
export function faultFrom(error: unknown): LedgerFault {
  if (isLedgerError(error)) return faultOf(error.code, error.message)
  if (isKernelError(error))
    return faultOf('LEDGER_UNAVAILABLE', error.message, 'correct it; the ledger goes on by itself')
  const state = sqlStateOf(error)
  // All addresses of a name that refuse are one error without a message.
  const detail = messageOf(error) || codeOf(error)
  // 53100 disk_full; 23505 unique_violation: there is an entry where the tip says that there is none.
  if (state === '53100') return faultOf('LEDGER_FULL', `the database's disk is full: ${detail}`)
  if (state === '23505') {
    return faultOf('LEDGER_CORRUPT', `the log holds an entry beyond its tip: ${detail}`)
  }
  return faultOf('LEDGER_UNAVAILABLE', `the database failed: ${detail}`, remedies[state ?? ''])
}

/** Whether the ledger stays as it is until somebody has looked. */
export function isLatched({ code }: LedgerFault): boolean {
  return code === 'LEDGER_ROLLED_BACK' || code === 'LEDGER_CORRUPT' || code === 'LEDGER_TRUNCATED'
}

/** What a caller gets. Not every code of a fault is one of a decision. */
export function errorOf({ code, detail, fix }: LedgerFault, cause?: unknown): KernelError {
  return code === 'LEDGER_ROLLED_BACK' || code === 'LEDGER_MISSING'
    ? new KernelError('LEDGER_UNAVAILABLE', `${code}: ${detail}; ${fix}`, { cause })
    : new KernelError(code, `${detail}; ${fix}`, { cause })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no reason was given'
}

function isLedgerError(error: unknown): error is KernelError & { readonly code: LedgerCode } {
  return isKernelError(error) && Object.hasOwn(fixes, error.code)
}
