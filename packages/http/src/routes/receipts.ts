import { isReceiptId } from '@helm-ai-kernel/core/receipt'
import type { AppOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'
import { createCursors } from './cursor.ts'
import { checkPlace } from './place.ts'
import { parseListQuery } from './receipt-query.ts'
import { createTail } from './receipts-tail.ts'
import { wireReceipt } from './wire-receipt.ts'

export const unknownReceipt: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'this scope has no receipt of this id, which is rcpt- and 64 hex digits',
}

/** The receipts of the credential's own scope: a list, its newest as they come, and one by id. */
export function receiptResources(options: AppOptions): readonly Resource[] {
  const { receipts, crypto } = options
  const cursorsFor = createCursors(crypto, receipts)
  const tail = createTail(options, cursorsFor)

  const list = resource('/api/v1/receipts', {
    GET: {
      access: 'read',
      async handle({ request }, { scope }) {
        const cursors = await cursorsFor(scope)
        const { entries = false, ...query } = parseListQuery(new URL(request.url), scope, cursors)
        if (query.afterSeq !== undefined) await checkPlace(receipts, scope, query.afterSeq)
        const page = await receipts.find(query)
        // A scan that met its limit goes on from where it looked last, found or not.
        const reached = page.scannedTo ?? page.receipts.at(-1)?.statement.seq
        return json({
          receipts: page.receipts.map((receipt) => wireReceipt(receipt, entries)),
          count: page.receipts.length,
          next_cursor: page.hasMore && reached !== undefined ? cursors.encode(reached) : null,
          has_more: page.hasMore,
          // Log index from which on filters are answered by the index. Older receipts are scanned, so
          // many a page: one with few receipts or none is not the last while `has_more` is true.
          ...(page.indexFrom !== undefined && { index_from: page.indexFrom }),
        })
      },
    },
  })

  const byId = resource('/api/v1/receipts/:receipt_id', {
    GET: {
      access: 'read',
      async handle(exchange, credential) {
        const receiptId = exchange.params['receipt_id']
        // hono's fast router takes no fixed name beside a parameter.
        if (receiptId === 'tail') return tail(exchange, credential)
        const { scope } = credential
        if (!isReceiptId(receiptId)) return unknownReceipt
        const page = await receipts.find({ scope, receiptId, limit: 1 })
        const [receipt] = page.receipts
        return receipt === undefined ? unknownReceipt : json(wireReceipt(receipt, true))
      },
    },
  })

  return [list, byId]
}
