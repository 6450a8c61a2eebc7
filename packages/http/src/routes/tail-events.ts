import type { AppOptions } from '../options.ts'
import type { Cursors } from './cursor.ts'
import type { ListQuery } from './receipt-query.ts'
import { wireReceipt } from './wire-receipt.ts'

export interface TailOptions {
  /** Begins after `afterSeq`, and goes on `limit` receipts at a time. */
  readonly query: ListQuery & { readonly afterSeq: number }
  readonly cursors: Cursors
  /** Aborts when nobody reads any more. */
  readonly over: AbortSignal
  /** Whether whoever asked may still read: keys expire and are withdrawn. */
  isAllowed(): boolean
}

/** How often a client hears that the kernel is there, in ms; its credential is looked at as often. */
const heartbeat = 15_000
/** Between two looks at the ledger when nobody tells of new receipts, in ms. */
const poll = 1_000
/** Least time between two looks: other scopes' receipts wake this one, too. */
const least = 100

/**
 * The events of a tail, as text: `receipt` with the receipt in JSON, and a comment as a heartbeat. Each
 * has the place where a client goes on as its id, so that one that saw none of the scanned receipts
 * need not begin again.
 */
export async function* tailEvents(
  { receipts, clock, watch }: Pick<AppOptions, 'receipts' | 'clock' | 'watch'>,
  { query: { entries = false, ...query }, cursors, over, isAllowed }: TailOptions,
): AsyncGenerator<string, void> {
  let seq = query.afterSeq
  let nap = new AbortController()
  const wake = (): void => nap.abort()
  const forget = watch?.(wake)
  over.addEventListener('abort', wake)
  over.addEventListener('abort', () => forget?.())
  if (over.aborted) forget?.()

  yield `id: ${cursors.encode(seq)}\n\n`
  let told = clock.monotonic()
  while (!over.aborted) {
    // Made before the look at the ledger, so that nothing comes unnoticed between the two.
    nap = new AbortController()
    const page = await receipts.find({ ...query, afterSeq: seq })
    const before = seq
    const events = page.receipts.map((receipt) => {
      seq = receipt.statement.seq
      const data = JSON.stringify(wireReceipt(receipt, entries))
      return `id: ${cursors.encode(seq)}\nevent: receipt\ndata: ${data}\n\n`
    })
    seq = Math.max(seq, page.scannedTo ?? 0)
    const due = clock.monotonic() - told >= heartbeat
    if (due) {
      if (!isAllowed()) return
      events.push(`: heartbeat\nid: ${cursors.encode(seq)}\n\n`)
      told = clock.monotonic()
    }
    if (events.length > 0) yield events.join('')
    if (page.hasMore && seq > before) continue
    await clock.sleep(least, over)
    const rest = heartbeat - (clock.monotonic() - told)
    await clock.sleep(Math.min(rest, watch === undefined ? poll : rest), nap.signal)
  }
}
