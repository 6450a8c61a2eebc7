import {
  type Clock,
  type Crypto,
  type Disk,
  type Held,
  type Holder,
  isKernelError,
  KernelError,
  type LedgerIdentity,
  type Lock,
  type Random,
  type ReceiptStore,
  type Signer,
  type Stored,
} from '@helm-ai-kernel/core'
import { createRange, signCheckpoint } from '@helm-ai-kernel/core/log'
import { createState } from '@helm-ai-kernel/core/receipt'
import type { Edge } from './batch.ts'
import { errorOf, explained, type Fault, faultOf } from './fault.ts'
import { readIdentity } from './identity.ts'
import { createJournal } from './journal.ts'
import { findTrace, makeLedger } from './make.ts'
import { openPositions } from './positions.ts'
import { createPublisher } from './publisher.ts'
import { recover } from './recovery.ts'
import { createReserve } from './reserve.ts'
import { segmentHeader } from './segment.ts'
import { createTip } from './tip.ts'
import { createView } from './view.ts'
import { createWriter } from './writer.ts'

export interface LedgerOptions {
  /** Rooted at the data directory. */
  readonly disk: Disk
  readonly lock: Lock
  /** Who opens: what a second process is told. */
  readonly who: Holder
  readonly clock: Clock
  readonly random: Random
  readonly crypto: Crypto
  /** The log key; signs tips and checkpoints. */
  readonly log: Signer
  /** What a new ledger's log is called, and an existing one must be called. */
  readonly origin?: string
  /** Whether a ledger is made where there is none; `auto` when absent. */
  readonly init?: 'auto' | 'never'
  /** Hears, in a sentence, of what an operator should know and `health` does not say. */
  readonly warn?: (message: string) => void
  /** Least time between two published checkpoints, ms; 1000 when absent. */
  readonly checkpointInterval?: number
}

/** The durable ReceiptStore of one process on one data directory (design 4.1). */
export interface Ledger extends ReceiptStore {
  /** Undefined only while `health` says why it is not known. */
  readonly identity: LedgerIdentity | undefined
  /** The newest published checkpoint, a signed note. */
  checkpoint(): Uint8Array | undefined
  /** Why nothing is appended now; undefined when all is well. */
  health(): Fault | undefined
  /** Publishes a checkpoint of everything acknowledged. */
  publish(): Promise<void>
  /** Finishes what was taken, publishes, and gives the lock back. */
  close(): Promise<void>
}

/**
 * Opens the ledger, or makes it. A ledger that is damaged opens too: it says so in `health`, refuses
 * to append, and reads as far as it is good. Throws `LEDGER_LOCKED` when another process has it,
 * `CONFIG_INVALID` when its origin is another, `LEDGER_UNAVAILABLE` when the disk does not let it.
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
  const identity = await identify(options)
  if ('code' in identity) return unknown(held, identity)
  const { disk, crypto, clock, random, log, warn = ignore } = options
  const { origin, ledgerId } = identity

  const recovered = await recover(disk, crypto, identity, log.publicKey)
  const { state, edge, end, window, recent, published, fault } = recovered
  const tip = createTip(disk, recovered.tipSlot)
  const header = segmentHeader(ledgerId, random.bytes(16))
  const journal = createJournal(disk, held, tip, header, end)
  const segments = journal.segments
  const reading = {
    identity,
    state: () => Promise.resolve(state),
    ...createView({ disk, crypto, ledgerId, window, recent, segments }),
  }
  if (fault !== undefined) {
    return { ...reading, ...latched(held, fault), checkpoint: () => published?.note }
  }

  const sign = (tree: Edge) => {
    const root = createRange(crypto, tree).root()
    return signCheckpoint({ origin, size: tree.size, root }, log, crypto)
  }
  const accept = (receipts: readonly Stored[]) => {
    for (const receipt of receipts) {
      window.add(receipt)
      recent.add(receipt)
    }
    publisher.touch()
  }
  const reserve = createReserve(disk, random)
  const writer = createWriter({ journal, reserve, crypto, clock, state, edge, sign, accept })
  const publisher = createPublisher({
    disk,
    held,
    clock,
    interval: options.checkpointInterval ?? 1000,
    positions: await openPositions(disk, window, warn),
    edge: writer.edge,
    sign,
    published,
    warn,
  })
  await writer.start()
  if (end.size !== published?.claim.size) publisher.touch()
  return {
    ...reading,
    append: writer.append,
    health: writer.fault,
    checkpoint: publisher.checkpoint,
    publish: publisher.publish,
    async close() {
      await writer.close()
      await publisher.close()
      await held.release()
    },
  }
}

/** What the ledger is called, made when there is none; or why that cannot be said. */
async function identify(options: LedgerOptions): Promise<LedgerIdentity | Fault> {
  const { disk, crypto, random, log, origin, init = 'auto', warn = ignore } = options
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

/** The part of a ledger that takes nothing. */
function latched(held: Held, fault: Fault) {
  const refuse = () => Promise.reject(errorOf(fault))
  return { append: refuse, health: () => fault, publish: refuse, close: () => held.release() }
}

/** A ledger of which not even the name is known. */
function unknown(held: Held, fault: Fault): Ledger {
  return {
    ...latched(held, fault),
    identity: undefined,
    checkpoint: () => undefined,
    read: () => Promise.resolve([]),
    find: () => Promise.resolve({ receipts: [], hasMore: false }),
    state: () => Promise.resolve(createState()),
  }
}

function ignore(): void {
  // Nobody listens.
}
