import type { Stored } from '@helm-ai-kernel/core'
import { isReceiptId } from '@helm-ai-kernel/core/receipt'
import type { AppOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'
import { encodeCursor } from './cursor.ts'
import { parseListQuery } from './receipt-query.ts'

const unknownReceipt: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'this scope has no receipt of this id, which is rcpt- and 64 hex digits',
}

/** The receipts of the credential's own scope: a list, and one by id. */
export function receiptResources({ receipts }: AppOptions): readonly Resource[] {
  const list = resource('/api/v1/receipts', {
    GET: {
      access: 'read',
      async handle({ request }, { scope }) {
        const { entries = false, ...query } = parseListQuery(new URL(request.url), scope)
        const page = await receipts.find(query)
        const last = page.receipts.at(-1)
        return json({
          receipts: page.receipts.map((receipt) => wireReceipt(receipt, entries)),
          count: page.receipts.length,
          next_cursor: page.hasMore && last !== undefined ? encodeCursor(last.statement.seq) : null,
          has_more: page.hasMore,
        })
      },
    },
  })

  const byId = resource('/api/v1/receipts/:receipt_id', {
    GET: {
      access: 'read',
      async handle({ params }, { scope }) {
        const receiptId = params['receipt_id']
        if (!isReceiptId(receiptId)) return unknownReceipt
        const page = await receipts.find({ scope, receiptId, limit: 1 })
        const [receipt] = page.receipts
        return receipt === undefined ? unknownReceipt : json(wireReceipt(receipt, true))
      },
    },
  })

  return [list, byId]
}

/** What was signed, and where it stands; with `entry` also the envelope that proves it. */
function wireReceipt(
  { statement, receiptId, logIndex, entry }: Stored,
  withEntry: boolean,
): Readonly<Record<string, unknown>> {
  return {
    ...statement,
    receipt_id: receiptId,
    log_index: logIndex,
    ...(withEntry && { entry: JSON.parse(new TextDecoder().decode(entry)) as unknown }),
  }
}
