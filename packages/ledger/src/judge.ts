import {
  type Crypto,
  equalBytes,
  isKernelError,
  type LedgerFault,
  type LedgerIdentity,
} from '@helm-ai-kernel/core'
import { rootOfTiles, type TileReader } from '@helm-ai-kernel/core/log'
import { faultOf } from './fault.ts'
import { type Head, isSigned } from './head.ts'
import type { LogEnd } from './read-log.ts'

export interface Heads {
  readonly tips: readonly (Head | undefined)[]
  readonly published: Head | undefined
}

/** The log as it was read. */
export interface Evidence {
  readonly crypto: Crypto
  readonly identity: LedgerIdentity
  /** Log keys whose heads count. */
  readonly keys: readonly Uint8Array[]
  readonly end: LogEnd
  /** What is wrong with an entry, or with a tile. */
  readonly broken: string | undefined
  /** By size, of the entries that were read. */
  readonly roots: ReadonlyMap<number, Uint8Array>
  /** For the roots of sizes below those. */
  readonly tiles: TileReader
  readonly readFrom: number
}

export interface Judgement {
  /** Why nothing may be appended; undefined when the log is what its heads say. */
  readonly fault: LedgerFault | undefined
  /** The slot of the tip to write next. */
  readonly tipSlot: number
}

/** Holds a log against its tip and its checkpoint. */
export async function judge({ tips, published }: Heads, log: Evidence): Promise<Judgement> {
  const { crypto, identity, keys, end, broken } = log
  const isGood = (head: Head | undefined) =>
    head !== undefined && isSigned(head, identity, keys, crypto)
  const goodTips = tips.map((head) => (isGood(head) ? head : undefined))
  const newest = (goodTips[1]?.claim.size ?? -1) > (goodTips[0]?.claim.size ?? -1) ? 1 : 0

  async function fault(): Promise<LedgerFault | undefined> {
    if (published === undefined) return corrupt('ledger/checkpoint is missing or is no checkpoint')
    if (!isGood(published)) return corrupt('ledger/checkpoint is not signed by this log’s key')
    // One slot may be torn: it was being written when the power went.
    if (goodTips[newest] === undefined) return corrupt('ledger/tip holds no head of this log')
    if (end.flaw?.kind === 'corrupt') return corrupt(end.flaw.detail)
    if (broken !== undefined) return corrupt(broken)
    for (const head of [published, ...goodTips]) {
      const found = head && (await holdAgainst(head, log))
      if (found !== undefined) return found
    }
    return undefined
  }
  return { fault: await fault(), tipSlot: 1 - newest }
}

async function holdAgainst(head: Head, log: Evidence): Promise<LedgerFault | undefined> {
  const { path, claim } = head
  const root = await rootAt(claim.size, log)
  if (root === undefined) return beyond(head, log.end)
  if (equalBytes(root, claim.root)) return undefined
  return corrupt(`the first ${claim.size} entries are not those that ${path} covers`)
}

async function rootAt(size: number, log: Evidence): Promise<Uint8Array | undefined> {
  if (size >= log.readFrom) return log.roots.get(size)
  try {
    return await rootOfTiles(log.crypto, log.tiles, size)
  } catch (error) {
    if (isKernelError(error)) return undefined
    throw error
  }
}

function corrupt(detail: string): LedgerFault {
  return faultOf('LEDGER_CORRUPT', detail)
}

function beyond({ path, claim }: Head, { size, flaw }: LogEnd): LedgerFault {
  return faultOf(
    flaw?.damaged === true ? 'LEDGER_CORRUPT' : 'LEDGER_TRUNCATED',
    `the log ends at ${size} entries, ${path} covers ${claim.size}` +
      (flaw === undefined ? '' : `: ${flaw.detail}`),
  )
}
