import {
  type Crypto,
  decodeHex,
  type Disk,
  equalBytes,
  isKernelError,
  type LedgerIdentity,
} from '@helm-ai-kernel/core'
import { createRange, leafHash } from '@helm-ai-kernel/core/log'
import { createState, type StateFold } from '@helm-ai-kernel/core/receipt'
import type { Edge } from './batch.ts'
import { follow, storedEntry } from './chain.ts'
import type { Frame } from './frame.ts'
import { type Fault, faultOf } from './fault.ts'
import { type Head, isSigned } from './head.ts'
import { readPublished } from './published.ts'
import { type LogEnd, readLog } from './read-log.ts'
import { createRecent, type Recent } from './recent.ts'
import { readTip } from './tip.ts'
import { createWindow, type Window } from './window.ts'

/** So many of the newest receipts, at least, are kept whole in memory: some 4 kB each. */
const keptReceipts = 1024

/** What the files of a ledger say. */
export interface Recovered {
  readonly state: StateFold
  readonly edge: Edge
  readonly window: Window
  readonly recent: Recent
  readonly end: LogEnd
  /** The slot of the tip to write next. */
  readonly tipSlot: number
  readonly published: Head | undefined
  /** Why nothing may be appended; the state is then that of the good beginning. */
  readonly fault: Fault | undefined
}

/** Reads a ledger and holds it against its tip and its checkpoint. Changes nothing. */
export async function recover(
  disk: Disk,
  crypto: Crypto,
  identity: LedgerIdentity,
  logPublicKey: Uint8Array,
): Promise<Recovered> {
  // Heads first: whatever they say was durable then, also when another process is writing.
  const tips = await readTip(disk)
  const published = await readPublished(disk)
  const heads = [...tips, published].filter((head) => head !== undefined)

  const state = createState(identity)
  const tree = createRange(crypto)
  const window = createWindow()
  const recent = createRecent(keptReceipts)
  const roots = new Map<number, Uint8Array>()
  const sizes = new Set(heads.map(({ claim }) => claim.size))
  const keys = [logPublicKey]
  let broken: string | undefined
  const noteRoot = () => {
    if (sizes.has(tree.size)) roots.set(tree.size, tree.root())
  }
  noteRoot()
  const end = await readLog(disk, identity.ledgerId, (frame) => {
    try {
      if (broken === undefined) take(frame)
    } catch (error) {
      if (!isKernelError(error)) throw error
      broken = error.message
    }
  })

  function take({ logIndex, entry }: Frame): void {
    const receipt = storedEntry(crypto, logIndex, entry.slice())
    follow(crypto, state, receipt)
    tree.append(leafHash(crypto, entry))
    noteRoot()
    const { statement } = receipt
    if (statement.kind === 'key') keys.push(decodeHex(statement.log_public_key, 32, 'log key'))
    window.add(receipt)
    recent.add(receipt)
  }

  const isGood = (head: Head | undefined) =>
    head !== undefined && isSigned(head, identity, keys, crypto)
  const goodTips = tips.map((head) => (isGood(head) ? head : undefined))
  const newest = (goodTips[1]?.claim.size ?? -1) > (goodTips[0]?.claim.size ?? -1) ? 1 : 0

  function fault(): Fault | undefined {
    if (published === undefined) return corrupt('ledger/checkpoint is missing or is no checkpoint')
    if (!isGood(published)) return corrupt('ledger/checkpoint is not signed by this log’s key')
    // One slot may be torn: it was being written when the power went.
    if (goodTips[newest] === undefined) return corrupt('ledger/tip holds no head of this log')
    if (end.flaw?.kind === 'corrupt') return corrupt(end.flaw.detail)
    if (broken !== undefined) return corrupt(broken)
    for (const head of [published, ...goodTips]) {
      if (head === undefined) continue
      const root = roots.get(head.claim.size)
      if (root === undefined) return beyond(head, end)
      if (!equalBytes(root, head.claim.root)) {
        return corrupt(
          `the first ${head.claim.size} entries are not those that ${head.path} covers`,
        )
      }
    }
    return undefined
  }
  const edge = { size: tree.size, hashes: tree.hashes() }
  const tipSlot = 1 - newest
  return { state, edge, window, recent, end, tipSlot, published, fault: fault() }
}

function corrupt(detail: string): Fault {
  return faultOf('LEDGER_CORRUPT', detail)
}

function beyond({ path, claim }: Head, { size, flaw }: LogEnd): Fault {
  return faultOf(
    flaw?.damaged === true ? 'LEDGER_CORRUPT' : 'LEDGER_TRUNCATED',
    `the log ends at ${size} entries, ${path} covers ${claim.size}` +
      (flaw === undefined ? '' : `: ${flaw.detail}`),
  )
}
