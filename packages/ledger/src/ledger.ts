import {
  type Clock,
  type Crypto,
  type Disk,
  type Held,
  type Holder,
  isKernelError,
  KernelError,
  type LedgerIdentity,
  type LedgerState,
  type Lock,
  type Random,
  type ReceiptStore,
  type Signer,
} from '@helm-ai-kernel/core'
import { createRange, signCheckpoint } from '@helm-ai-kernel/core/log'
import { createState } from '@helm-ai-kernel/core/receipt'
import type { Edge } from './batch.ts'
import { errorOf, type Fault, faultOf } from './fault.ts'
import { readIdentity } from './identity.ts'
import { createJournal } from './journal.ts'
import { findTrace, makeLedger } from './make.ts'
import { openPositions } from './positions.ts'
import { writePublished } from './published.ts'
import { createPublisher } from './publisher.ts'
import { isDiskError } from './read-file.ts'
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
  /** Whether a ledger is made where there is none. */
  readonly init?: 'auto' | 'never'
  /** Hears, in a sentence, of what an operator should know and nothing else says. */
  readonly warn?: (message: string) => void
  /** Least time between two published checkpoints, ms. */
  readonly checkpointInterval?: number
}

/** The durable ReceiptStore of one process on one data directory (design 4.1). */
export interface Ledger extends ReceiptStore {
  /** Undefined only while `health` says that it is lost. */
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
    throw explain(error)
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
  const { disk, crypto, clock, random, log, origin, warn = () => undefined } = options

  let identity: LedgerIdentity | undefined
  try {
    identity = await readIdentity(disk)
  } catch (error) {
    if (!isKernelError(error)) throw error
    return lost(held, faultOf('LEDGER_CORRUPT', error.message))
  }
  if (identity === undefined) {
    const trace = await findTrace(disk)
    if (trace !== undefined) return lost(held, faultOf('LEDGER_CORRUPT', trace))
    if (options.init === 'never') {
      return lost(held, faultOf('LEDGER_MISSING', 'there is no ledger in the data directory'))
    }
    identity = await makeLedger(disk, crypto, random, log, origin)
    warn(`a new ledger was begun, ${identity.origin}: it remembers no policy installed before`)
  }
  const known = identity
  if (origin !== undefined && origin !== known.origin) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the ledger is called ${known.origin}, not ${origin}; its origin never changes: ` +
        'unset HELM_LOG_ORIGIN, or use another data directory',
    )
  }

  const sign = (edge: Edge) =>
    signCheckpoint(
      { origin: known.origin, size: edge.size, root: createRange(crypto, edge).root() },
      log,
      crypto,
    )
  const view = createView(disk, crypto, known.ledgerId, () => segments())
  const recovered = await recover(disk, crypto, known, log.publicKey, view.add)
  const { state, end, fault, published } = recovered
  let segments: () => readonly number[] = () => end.segments.map(({ first }) => first)
  let checkpoint = published?.note
  const reading = {
    identity: known,
    checkpoint: () => checkpoint,
    read: view.read,
    find: view.find,
    state: async (): Promise<LedgerState> => state,
  }
  if (fault !== undefined) return { ...reading, ...latched(held, fault) }

  const tip = createTip(disk, recovered.tipSlot)
  const header = segmentHeader(known.ledgerId, random.bytes(16))
  const journal = createJournal(disk, held, tip, header, end)
  segments = journal.segments
  const edge = { size: recovered.tree.size, hashes: recovered.tree.hashes() }
  const writer = createWriter({
    journal,
    reserve: createReserve(disk, random),
    crypto,
    clock,
    state,
    edge,
    sign,
    accept(receipts) {
      for (const receipt of receipts) view.add(receipt)
      publisher.touch()
    },
  })
  const positions = await openPositions(disk, view.window, warn)
  let publishedSize = published?.claim.size
  const publisher = createPublisher(clock, options.checkpointInterval ?? 1000, publish, warn)

  async function publish(): Promise<void> {
    await held.check()
    const head = writer.edge()
    if (head.size !== publishedSize) {
      const note = sign(head)
      await writePublished(disk, note)
      checkpoint = note
      publishedSize = head.size
    }
    await positions.extend()
  }

  await writer.start()
  if (end.size !== publishedSize) publisher.touch()
  return {
    ...reading,
    append: writer.append,
    health: writer.fault,
    publish: publisher.now,
    async close() {
      await writer.close()
      await publisher.close()
      try {
        await publish()
      } catch (error) {
        warn(
          `the last checkpoint is not published: ${error instanceof Error ? error.message : error}`,
        )
      }
      await held.release()
    },
  }
}

/** The part of a ledger that takes nothing. */
function latched(held: Held, fault: Fault) {
  const refuse = () => Promise.reject(errorOf(fault))
  return { append: refuse, health: () => fault, publish: refuse, close: () => held.release() }
}

/** A ledger that does not even know what it is called. */
function lost(held: Held, fault: Fault): Ledger {
  return {
    ...latched(held, fault),
    identity: undefined,
    checkpoint: () => undefined,
    read: async () => [],
    find: async () => ({ receipts: [], hasMore: false }),
    state: async () => createState(),
  }
}

const remedies: Readonly<Record<string, string>> = {
  EACCES: 'let the user of this process write there',
  EPERM: 'let the user of this process write there',
  EROFS: 'mount it writable, or choose another data directory',
  ENOTDIR: 'a file is where a folder must be: choose another data directory',
  ENOSPC: 'make room on its disk',
}

function explain(error: unknown): unknown {
  if (!isDiskError(error) || isKernelError(error)) return error
  const remedy = remedies[error.code] ?? 'check its disk'
  return new KernelError(
    'LEDGER_UNAVAILABLE',
    `the data directory cannot be used: ${error.message}; ${remedy}`,
    { cause: error },
  )
}
