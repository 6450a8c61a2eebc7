import { isObject } from '@helm-ai-kernel/core'
import type { Command } from '../command.ts'
import { clientFlags, kernelClient } from '../kernel-client.ts'
import { answer, table } from '../print.ts'
import { queryOf, receiptFilters, receiptRow } from '../receipt-rows.ts'

const name = 'receipts list'

const parameters = {
  ...receiptFilters,
  limit: { value: 'N', summary: 'at most so many, 100 when absent' },
  cursor: { value: 'CURSOR', summary: 'go on where the answer before said' },
} as const

export const receiptsList: Command = {
  summary: 'list receipts of a running kernel, oldest first',
  usage: '[flags]',
  example: 'receipts list --verdict DENY --limit 20 --api-key-file .helm/keys/admin',
  flags: { ...parameters, ...clientFlags },
  operands: [0, 0],
  async run(given, io) {
    const client = await kernelClient(name, given, io)
    const body = await client.get('/api/v1/receipts', queryOf(given, parameters))
    const { receipts, next_cursor: cursor } = isObject(body) ? body : {}
    const rows = (Array.isArray(receipts) ? receipts : []).map(receiptRow)
    const more = typeof cursor === 'string' ? [`more: --cursor ${cursor}`] : []
    return answer(io, given, body, [...(rows.length === 0 ? ['none'] : table(rows)), ...more])
  },
}
