import type { Brand } from './brand.ts'

/** Exactly `YYYY-MM-DDTHH:mm:ss.sssZ`: such strings sort as the moments they name. */
export type Timestamp = Brand<string, 'Timestamp'>

const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

/** The timestamp of `ms` since the epoch. */
export function timestamp(ms: number): Timestamp {
  return new Date(ms).toISOString() as Timestamp
}

/** Milliseconds since the epoch; undefined when `text` is not exactly in the form or no real date. */
export function parseTimestamp(text: string): number | undefined {
  if (!form.test(text)) return undefined
  const ms = Date.parse(text)
  // Date.parse takes 2026-02-30 for March; only what prints back the same was meant.
  return Number.isNaN(ms) || timestamp(ms) !== text ? undefined : ms
}

export function isTimestamp(value: unknown): value is Timestamp {
  return typeof value === 'string' && parseTimestamp(value) !== undefined
}
