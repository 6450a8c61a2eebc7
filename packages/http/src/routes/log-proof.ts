import { KernelError } from '@helm-ai-kernel/core'
import {
  claimedCheckpoint,
  formatProof,
  leafHash,
  proveInclusion,
  verifyInclusion,
} from '@helm-ai-kernel/core/log'
import { isReceiptId } from '@helm-ai-kernel/core/receipt'
import type { AppOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import { type Resource, resource } from '../route.ts'
import { unknownReceipt } from './receipts.ts'

const uncovered: Refusal = {
  refused: 'NOT_FOUND',
  detail:
    'the receipt is newer than the newest checkpoint, of which there is one a second: try again',
  headers: { 'retry-after': '1' },
}

/** `GET /log/proof/{receipt_id}`: that a receipt of one's own scope is in the log, as a file. */
export function logProofResource({ log, receipts, crypto }: AppOptions): Resource {
  return resource('/log/proof/:receipt_id', {
    GET: {
      access: 'read',
      async handle({ params }, { scope }) {
        const receiptId = params['receipt_id']
        if (!isReceiptId(receiptId)) return unknownReceipt
        const [receipt] = (await receipts.find({ scope, receiptId, limit: 1 })).receipts
        if (receipt === undefined) return unknownReceipt
        const checkpoint = await log.checkpoint()
        if (checkpoint === undefined) return uncovered
        const { size, root } = claimedCheckpoint(checkpoint)
        const { logIndex: index, entry } = receipt
        if (index >= size) return uncovered
        const hashes = await proveInclusion(crypto, log, index, size)
        const claim = { leafHash: leafHash(crypto, entry), index, size, root }
        if (!verifyInclusion(crypto, claim, hashes)) {
          throw new KernelError(
            'LEDGER_CORRUPT',
            `tiles and entry ${index} disagree: ledger verify`,
          )
        }
        return {
          status: 200,
          headers: {
            'content-type': 'text/plain; charset=utf-8',
            'content-disposition': `attachment; filename="${receiptId}.tlog-proof"`,
          },
          body: formatProof({ index, hashes, checkpoint }).slice(),
        }
      },
    },
  })
}
