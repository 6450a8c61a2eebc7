import type { Cancel, ReceiptIndex, ReceiptQuery, Stored } from '@helm-ai-kernel/core'
import { messageOf } from './fault.ts'
import type { Notices } from './notices.ts'
import type { MakeIndex } from './options.ts'

export interface IndexFeedOptions {
  readonly index: ReceiptIndex | MakeIndex
  /** Aborts when the ledger is closed. */
  readonly cancel: Cancel
  /** The window is filled with so many of the newest receipts. */
  readonly limit: number
  /** Entries in the log. */
  readonly size: () => number
  readonly read: (from: number, to: number) => Promise<readonly Stored[]>
  /** Lets others run. */
  readonly turn: () => Promise<void>
  readonly notices: Notices
}

/** An index, fed behind the back of whoever appends. */
export interface IndexFeed {
  /** Takes receipts that became durable. */
  add(receipts: readonly Stored[]): void
  /** Log index from which on the index knows every receipt; undefined while it is of no use. */
  from(): number | undefined
  propose(query: ReceiptQuery): readonly number[]
  /** It proposed what is not so: it is emptied and filled again. */
  distrust(): void
  /** Resolves when nothing is under way. */
  close(): Promise<void>
}

/** So many are handed over between two turns of the event loop. */
const chunk = 32
const notice = 'index'

export function createIndexFeed(options: IndexFeedOptions): IndexFeed {
  const { cancel, limit, size, read, turn, notices } = options
  let index = typeof options.index === 'function' ? undefined : options.index
  let queue: Stored[] = []
  let isDraining = false
  let isUseless = false
  /** Counts the fillings: one that was begun before the index was emptied stops. */
  let filling = 0
  let idle = Promise.resolve()
  if (typeof options.index === 'function') void make(options.index)
  else idle = fill()

  async function make(makeIndex: MakeIndex): Promise<void> {
    try {
      index = await makeIndex(cancel)
    } catch (error) {
      isUseless = true
      if (cancel.aborted) return
      notices.raise(notice, `receipts are searched without an index: ${messageOf(error)}`)
    }
    if (!cancel.aborted) idle = fill()
  }

  function give(receipts: readonly Stored[]): void {
    if (isUseless || receipts.length === 0) return
    try {
      index?.add(receipts)
    } catch (error) {
      isUseless = true
      notices.raise(notice, `receipts are searched without an index: ${messageOf(error)}`)
    }
  }

  function flush(): void {
    const receipts = queue
    queue = []
    give(receipts)
  }

  async function drain(): Promise<void> {
    isDraining = true
    await turn()
    while (queue.length > 0) {
      give(queue.splice(0, chunk))
      await turn()
    }
    isDraining = false
  }

  /** From the newest receipt backwards. */
  async function fill(): Promise<void> {
    const own = ++filling
    const until = size()
    const least = Math.max(0, until - limit)
    try {
      for (let end = until; end > least; end -= Math.min(chunk, end - least)) {
        const begin = Math.max(least, end - chunk)
        const receipts = await read(begin, end)
        await turn()
        if (filling !== own || isUseless) return
        give(receipts)
        // It holds as many as it ever will.
        if (index?.from !== begin) return
      }
    } catch (error) {
      notices.raise(notice, `the index of receipts is not filled: ${messageOf(error)}`)
    }
  }

  return {
    add(receipts) {
      // The filling begins with the newest receipt there is then.
      if (isUseless || index === undefined) return
      for (const receipt of receipts) queue.push(receipt)
      if (!isDraining) void drain()
    },
    from() {
      flush()
      return isUseless || index?.from === undefined ? undefined : Math.min(index.from, size())
    },
    propose: (query) => index?.propose(query) ?? [],
    distrust() {
      queue = []
      index?.clear()
      idle = fill()
    },
    close() {
      filling++
      return idle
    },
  }
}
