import {
  type Cancel,
  createCancel,
  equalBytes,
  type Held,
  type Ledger,
  type LedgerIdentity,
  type Stored,
} from '@helm-ai-kernel/core'
import { createRange, signCheckpoint } from '@helm-ai-kernel/core/log'
import type { Edge } from './batch.ts'
import { faultOf } from './fault.ts'
import { createIndexFeed, type IndexFeed } from './index-feed.ts'
import { createJournal } from './journal.ts'
import { createKeeper } from './keeper.ts'
import type { Notices } from './notices.ts'
import type { LedgerOptions } from './options.ts'
import { createPublisher } from './publisher.ts'
import type { LogSource } from './read-log.ts'
import { readReceipts } from './reader.ts'
import type { Recovered } from './recovery.ts'
import { createReserve } from './reserve.ts'
import { scrub } from './scrub.ts'
import { createSearch } from './search.ts'
import { segmentHeader } from './segment.ts'
import { stateEntries } from './state-file.ts'
import { createTiler } from './tiler.ts'
import { serveTiles } from './tiles.ts'
import { createTip } from './tip.ts'
import { createWriter } from './writer.ts'

/** A ledger as its files were found. */
export interface Opened {
  readonly options: LedgerOptions
  readonly held: Held
  readonly identity: LedgerIdentity
  readonly source: LogSource
  readonly recovered: Recovered
  readonly notices: Notices
}

const defaultIndexLimit = 100_000

/** A ledger that is well: puts together who writes, who publishes and who tidies up behind them. */
export async function writable(opened: Opened): Promise<Ledger> {
  const { options, held, identity, source, recovered, notices } = opened
  const { disk, crypto, clock, random, log } = options
  const { fold, tower, positions, recent, end, published } = recovered
  const { state } = fold
  const closing = createCancel()
  const cancel: Cancel = closing
  const turn = () => clock.sleep(0)

  const sign = (tree: Edge) => {
    const root = createRange(crypto, tree).root()
    return signCheckpoint({ origin: identity.origin, size: tree.size, root }, log, crypto)
  }
  const isOwn = () => {
    const newest = fold.logKeys().at(-1)
    return newest === undefined || equalBytes(newest, log.publicKey)
  }
  const tip = createTip(disk, recovered.tipSlot)
  const header = segmentHeader(identity.ledgerId, random.bytes(16))
  const journal = createJournal(disk, held, tip, header, end)
  const reserve = createReserve(disk, random)
  const { edge } = recovered
  const writer = createWriter({ journal, reserve, crypto, clock, state, edge, sign, accept })
  const corrupt = (detail: string) => writer.latch(faultOf('LEDGER_CORRUPT', detail))
  const interval = options.checkpointInterval ?? 1000
  const writing = {
    disk,
    held,
    clock,
    interval,
    positions,
    edge: writer.edge,
    sign,
    isOwn,
    published,
  }
  const publisher = createPublisher({ ...writing, notices })
  const keeping = { source, identity, log, isOwn, clock, tower, positions, notices }
  const keeper = createKeeper(keeping, recovered.newer)

  await positions.check({
    notices,
    cancel,
    receipts: (count) => readReceipts(source, count, turn),
  })
  await writer.start()
  if (end.size !== published?.claim.size) publisher.touch()
  const { retire } = journal
  const tiling = { source, held, clock, tower, retire, notices, corrupt, tiled: keeper.keep }
  const tiler = createTiler(tiling, end.tiled)
  const scrubbing = scrub({ source, clock, cancel, notices, tower, tiled: end.tiled, corrupt })

  const reading = { source, recent, positions, state, turn }
  const { read } = createSearch(reading)
  const index: IndexFeed | undefined =
    options.index &&
    createIndexFeed({
      index: options.index,
      cancel,
      limit: options.indexLimit ?? defaultIndexLimit,
      size: () => state.size,
      read,
      turn,
      notices,
    })
  const listeners = new Set<() => void>()
  const atOpening = fold.unresolved.list()

  function accept(receipts: readonly Stored[], leaves: readonly Uint8Array[]): void {
    for (const [i, receipt] of receipts.entries()) {
      fold.apply(receipt)
      tower.append(leaves[i] ?? new Uint8Array())
      positions.add(receipt)
      recent.add(receipt)
      if (state.size % stateEntries === 0) keeper.offer(() => fold.snapshot(positions.digest()))
    }
    index?.add(receipts)
    publisher.touch()
    tiler.wake()
    for (const listener of [...listeners]) listener()
  }

  return {
    identity,
    ...createSearch({ ...reading, index }),
    state: async () => state,
    append: writer.append,
    health: writer.fault,
    warnings: notices.list,
    watch(listener) {
      const own = () => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    checkpoint: async () => publisher.checkpoint(),
    tile: serveTiles(source, tower, () => state.size),
    unresolved() {
      const open = new Set(fold.unresolved.list())
      return atOpening.filter((id) => open.has(id))
    },
    publish: publisher.publish,
    async close() {
      closing.abort()
      await writer.close()
      await tiler.close()
      await Promise.all([scrubbing, index?.close()])
      await publisher.close()
      await positions.close()
      await held.release()
    },
  }
}
