import { KernelError } from '@helm-ai-kernel/core'
import type { Row } from './client.ts'

// Columns as values of JavaScript. A column of another kind than asked for means that the tables are
// not those that the migrations made.

/** A bigint or an integer below 2^53. */
export function numberOf(row: Row | undefined, column: string): number {
  const value = row?.[column]
  const number = typeof value === 'string' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw wrong(column)
  return number
}

export function textOf(row: Row | undefined, column: string): string {
  const value = row?.[column]
  if (typeof value !== 'string') throw wrong(column)
  return value
}

/** Undefined for NULL. */
export function optionalTextOf(row: Row | undefined, column: string): string | undefined {
  return row?.[column] === null ? undefined : textOf(row, column)
}

/** A copy that is nothing but a Uint8Array. */
export function bytesOf(row: Row | undefined, column: string): Uint8Array {
  const value = row?.[column]
  if (!(value instanceof Uint8Array)) throw wrong(column)
  return new Uint8Array(value)
}

function wrong(column: string): KernelError {
  return new KernelError(
    'LEDGER_CORRUPT',
    `the column ${column} of the ledger's tables is not what it was made as`,
  )
}
