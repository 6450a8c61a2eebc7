import { KernelError, type ReasonCode } from '@helm-ai-kernel/core'

export type FaultCode = Extract<
  ReasonCode,
  'LEDGER_UNAVAILABLE' | 'LEDGER_FULL' | 'LEDGER_TRUNCATED' | 'LEDGER_CORRUPT' | 'LEDGER_MISSING'
>

/** Why the ledger takes nothing new, for the operator. */
export interface Fault {
  readonly code: FaultCode
  readonly detail: string
  /** What to do. */
  readonly fix: string
}

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

export function faultOf(code: FaultCode, detail: string, fix: string = fixes[code]): Fault {
  return Object.freeze({ code, detail, fix })
}

export function errorOf({ code, detail, fix }: Fault, cause?: unknown): KernelError {
  return new KernelError(code, `${detail}; ${fix}`, { cause })
}
