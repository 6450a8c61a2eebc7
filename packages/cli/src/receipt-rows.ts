import { isObject, type Json } from '@helm-ai-kernel/core'
import { type Flag, type Given, valueOf } from './command.ts'
import type { Query } from './kernel-client.ts'

/** Flags that narrow receipts down; each is a parameter on the wire. */
export const receiptFilters: Readonly<Record<string, Flag>> = {
  kind: { value: 'KIND', summary: 'decision, outcome, activation, rejection …' },
  verdict: { value: 'VERDICT', summary: 'ALLOW, DENY or ESCALATE' },
  'reason-code': { value: 'CODE', summary: 'such as NO_MATCHING_RULE' },
  principal: { value: 'NAME', summary: 'who asked' },
  action: { value: 'NAME', summary: 'what was to be done' },
  resource: { value: 'NAME', summary: 'to what' },
  'session-id': { value: 'ID', summary: 'in which session' },
  from: { value: 'TIME', summary: 'not before, such as 2026-11-22T06:00:00.000Z' },
  to: { value: 'TIME', summary: 'not after' },
}

/** The flags that are given, as parameters. */
export function queryOf(given: Given, flags: Readonly<Record<string, Flag>>): Query {
  const entries = Object.keys(flags).map((flag) => [
    flag.replaceAll('-', '_'),
    valueOf(given, flag),
  ])
  return Object.fromEntries(entries) as Query
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

/** The cells of a receipt in a table. */
export function receiptRow(receipt: Json): readonly string[] {
  const members = isObject(receipt) ? receipt : {}
  const cells = columns.map((column) => {
    const value = members[column] ?? ''
    return typeof value === 'object' ? '' : String(value)
  })
  const verdict = members['verdict']
  return [typeof verdict === 'string' ? verdict : '-', ...cells]
}
