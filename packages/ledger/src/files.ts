import {
  type Crypto,
  type Disk,
  KernelError,
  type LedgerIdentity,
  type ReceiptStore,
  type Tiles,
} from '@helm-ai-kernel/core'
import { errorOf } from './fault.ts'
import { readIdentity } from './identity.ts'
import { findTrace } from './make.ts'
import { recover } from './recovery.ts'
import { createSearch } from './search.ts'
import { serveTiles } from './tiles.ts'

/** The files of a ledger as they stood, read without a lock. */
export interface LedgerFiles extends Tiles, Pick<ReceiptStore, 'read' | 'find'> {
  readonly identity: LedgerIdentity
  /**
   * Whole entries: all that the checkpoint covers and, beyond it, what can be read, which may not be
   * acknowledged yet.
   */
  readonly size: number
}

/**
 * Reads the files of a ledger, beside whoever writes them: changes nothing and takes no lock. What it
 * gives is held against the ledger's own tip and checkpoint, but against no key from outside. Throws
 * `LEDGER_MISSING`, and `LEDGER_CORRUPT` or `LEDGER_TRUNCATED` for a ledger that is damaged.
 */
export async function readLedger(disk: Disk, crypto: Crypto): Promise<LedgerFiles> {
  const identity = await identityOf(disk)
  const source = { disk, crypto, ledgerId: identity.ledgerId }
  const recovered = await recover({ source, identity, warn: () => undefined })
  const { fold, tower, positions, recent, published, fault } = recovered
  if (fault !== undefined) throw errorOf(fault)
  await positions.check()
  const { state } = fold
  return {
    identity,
    size: state.size,
    checkpoint: async () => published?.note,
    tile: serveTiles(source, tower, () => state.size),
    ...createSearch({ source, recent, positions, state, turn: () => Promise.resolve() }),
  }
}

/** Throws `LEDGER_MISSING` or `LEDGER_CORRUPT`. */
export async function identityOf(disk: Disk): Promise<LedgerIdentity> {
  const identity = await readIdentity(disk)
  if (identity !== undefined) return identity
  const trace = await findTrace(disk)
  if (trace !== undefined) throw new KernelError('LEDGER_CORRUPT', trace)
  throw new KernelError('LEDGER_MISSING', 'there is no ledger here: give the data directory of one')
}
