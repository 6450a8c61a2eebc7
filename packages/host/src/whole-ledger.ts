import { KernelError, type LedgerFault } from '@helm-ai-kernel/core'
import type { LateStorage } from './late-storage.ts'

/** What reads a ledger, and what says why it cannot be believed. */
interface Source extends Pick<LateStorage, 'receipts' | 'log'> {
  ledgerFault(): LedgerFault | undefined
}

/** While the ledger is away its receipts are what they were; these say that some are not there. */
const damage: ReadonlySet<string> = new Set([
  'LEDGER_CORRUPT',
  'LEDGER_TRUNCATED',
  'LEDGER_ROLLED_BACK',
] satisfies readonly LedgerFault['code'][])

/**
 * A ledger for those who read it from outside. INVARIANT: of one that is damaged nothing is shown, since
 * what is left of it would look like all: an empty list, or a receipt that is said not to be there.
 */
export function wholeLedger({ receipts, log, ledgerFault }: Source): Omit<Source, 'ledgerFault'> {
  return Object.freeze({
    receipts: {
      append: async (drafts, seal) => receipts.append(drafts, seal),
      read: async (from, to) => whole(await receipts.read(from, to)),
      find: async (query) => whole(await receipts.find(query)),
      state: async () => whole(await receipts.state()),
    },
    log: {
      checkpoint: async () => whole(await log.checkpoint()),
      tile: async (tile) => whole(await log.tile(tile)),
    },
  } satisfies Omit<Source, 'ledgerFault'>)

  /** Looked at last: nobody knows what is wrong with a ledger before it is open. */
  function whole<T>(found: T): T {
    const fault = ledgerFault()
    if (fault === undefined || !damage.has(fault.code)) return found
    const { code, detail } = fault
    if (code === 'LEDGER_ROLLED_BACK') {
      throw new KernelError('LEDGER_UNAVAILABLE', `${code}: ${detail}`)
    }
    throw new KernelError(code, detail)
  }
}
