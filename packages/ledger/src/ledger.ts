import { type Held, KernelError, type Ledger, type LedgerFault } from '@helm-ai-kernel/core'
import { createState } from '@helm-ai-kernel/core/receipt'
import { errorOf, explained } from './fault.ts'
import { identify } from './identify.ts'
import { createNotices } from './notices.ts'
import type { LedgerOptions } from './options.ts'
import { recover } from './recovery.ts'
import { createSearch } from './search.ts'
import { serveTiles } from './tiles.ts'
import { type Opened, writable } from './writable.ts'

/**
 * Opens the ledger, or makes it: the durable one of one process on one data directory (design 4.1). A
 * ledger that is damaged opens too: it says so in `health`, refuses to append, and reads as far as it
 * is good. Throws `LEDGER_LOCKED` when another process has it, `CONFIG_INVALID` when its origin is
 * another, `LEDGER_UNAVAILABLE` when the disk does not let it.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  let held: Held | undefined
  try {
    held = await acquire(options)
    return await openHeld(options, held)
  } catch (error) {
    await held?.release()
    throw explained(error)
  }
}

async function acquire({ lock, who }: LedgerOptions): Promise<Held> {
  const answer = await lock.acquire('lock', who)
  if (!('heldBy' in answer)) return answer
  const { pid, host, since } = answer.heldBy
  throw new KernelError(
    'LEDGER_LOCKED',
    `the data directory is in use by process ${pid} on ${host} since ${since}; ` +
      'stop that process, or give this one a data directory of its own',
  )
}

async function openHeld(options: LedgerOptions, held: Held): Promise<Ledger> {
  const { disk, crypto, log, warn = ignore } = options
  const identity = await identify(options, warn)
  if ('code' in identity) return unknown(held, identity)
  const source = { disk, crypto, ledgerId: identity.ledgerId }
  const recovered = await recover({ source, identity, logPublicKey: log.publicKey, warn })
  const opened = { options, held, identity, source, recovered, notices: createNotices(warn) }
  return recovered.fault === undefined ? writable(opened) : damaged(opened, recovered.fault)
}

async function damaged(opened: Opened, fault: LedgerFault): Promise<Ledger> {
  const { options, held, identity, source, recovered } = opened
  const { fold, tower, positions, recent, published } = recovered
  await positions.check()
  const turn = () => options.clock.sleep(0)
  return {
    ...latched(held, fault),
    ...createSearch({ source, recent, positions, state: fold.state, turn }),
    identity,
    state: async () => fold.state,
    checkpoint: async () => published?.note,
    tile: serveTiles(source, tower, () => fold.state.size),
    unresolved: () => fold.unresolved.list(),
  }
}

/** The part of a ledger that takes nothing. */
function latched(held: Held, fault: LedgerFault) {
  const refuse = () => Promise.reject(errorOf(fault))
  return {
    append: refuse,
    health: () => fault,
    warnings: () => [],
    watch: () => ignore,
    publish: refuse,
    close: () => held.release(),
  }
}

/** A ledger of which not even the name is known. */
function unknown(held: Held, fault: LedgerFault): Ledger {
  return {
    ...latched(held, fault),
    identity: undefined,
    checkpoint: async () => undefined,
    tile: async () => undefined,
    unresolved: () => [],
    read: async () => [],
    find: async () => ({ receipts: [], hasMore: false }),
    state: async () => createState(),
  }
}

function ignore(): void {
  // Nobody listens.
}
