import { isObject, type Json } from '@helm-ai-kernel/core'
import { type Command, type Given, valueOf } from '../command.ts'
import { clientFlags, kernelClient } from '../kernel-client.ts'
import { answer, table } from '../print.ts'

const name = 'receipts list'

/** Flags that narrow the list, and the parameters that they are on the wire. */
const filters = {
  kind: { value: 'KIND', summary: 'decision, outcome, activation, rejection …' },
  verdict: { value: 'VERDICT', summary: 'ALLOW, DENY or ESCALATE' },
  'reason-code': { value: 'CODE', summary: 'such as NO_MATCHING_RULE' },
  principal: { value: 'NAME', summary: 'who asked' },
  action: { value: 'NAME', summary: 'what was to be done' },
  resource: { value: 'NAME', summary: 'to what' },
  'session-id': { value: 'ID', summary: 'in which session' },
  from: { value: 'TIME', summary: 'not before, such as 2026-11-22T06:00:00.000Z' },
  to: { value: 'TIME', summary: 'not after' },
  limit: { value: 'N', summary: 'at most so many, 100 when absent' },
  cursor: { value: 'CURSOR', summary: 'go on where the answer before said' },
} as const

export const receiptsList: Command = {
  summary: 'list receipts of a running kernel, oldest first',
  usage: '[flags]',
  example: 'receipts list --verdict DENY --limit 20 --api-key-file .helm/keys/admin',
  flags: { ...filters, ...clientFlags },
  operands: [0, 0],
  async run(given, io) {
    const client = await kernelClient(name, given, io)
    const body = await client.get('/api/v1/receipts', queryOf(given))
    const { receipts, next_cursor: cursor } = isObject(body) ? body : {}
    const rows = (Array.isArray(receipts) ? receipts : []).map(rowOf)
    const more = typeof cursor === 'string' ? [`more: --cursor ${cursor}`] : []
    return answer(io, given, body, [...(rows.length === 0 ? ['none'] : table(rows)), ...more])
  },
}

function queryOf(given: Given): Readonly<Record<string, string | undefined>> {
  const entries = Object.keys(filters).map((flag) => [
    flag.replaceAll('-', '_'),
    valueOf(given, flag),
  ])
  return Object.fromEntries(entries) as Readonly<Record<string, string | undefined>>
}

const columns = [
  'seq',
  'time',
  'kind',
  'reason_code',
  'principal',
  'action',
  'resource',
  'receipt_id',
]

function rowOf(receipt: Json): readonly string[] {
  const members = isObject(receipt) ? receipt : {}
  const cells = columns.map((column) => {
    const value = members[column] ?? ''
    return typeof value === 'object' ? '' : String(value)
  })
  const verdict = members['verdict']
  return [typeof verdict === 'string' ? verdict : '-', ...cells]
}
