import {
  isKernelError,
  KernelError,
  type LedgerFault,
  type LedgerIdentity,
} from '@helm-ai-kernel/core'
import { faultOf } from './fault.ts'
import { readIdentity } from './identity.ts'
import { findTrace, makeLedger } from './make.ts'
import type { LedgerOptions } from './options.ts'

/** What the ledger is called, made when there is none; or why that cannot be said. */
export async function identify(
  options: LedgerOptions,
  warn: (message: string) => void,
): Promise<LedgerIdentity | LedgerFault> {
  const { disk, crypto, random, log, origin, init = 'auto' } = options
  let identity: LedgerIdentity | undefined
  try {
    identity = await readIdentity(disk)
  } catch (error) {
    if (isKernelError(error, 'LEDGER_CORRUPT')) return faultOf('LEDGER_CORRUPT', error.message)
    throw error
  }
  if (identity === undefined) {
    const trace = await findTrace(disk)
    if (trace !== undefined) return faultOf('LEDGER_CORRUPT', trace)
    if (init === 'never') {
      return faultOf('LEDGER_MISSING', 'there is no ledger in the data directory')
    }
    identity = await makeLedger(disk, crypto, random, log, origin)
    warn(`a new ledger was begun, ${identity.origin}: it remembers no policy installed before`)
  }
  if (origin !== undefined && origin !== identity.origin) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the ledger is called ${identity.origin}, not ${origin}, and that never changes: ` +
        'unset HELM_LOG_ORIGIN, or use another data directory',
    )
  }
  return identity
}
