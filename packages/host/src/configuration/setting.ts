import type { Kind } from './kind.ts'

/** What a setting is about; the order in which groups are printed. */
export const groups = [
  'Listening',
  'Process',
  'Keys',
  'Access',
  'Policy',
  'Receipts and ledger',
  'Model proxy',
  'MCP gateway',
  'Command line',
] as const

export type Group = (typeof groups)[number]

/** One row of the table of settings. */
export type Setting<T> = Row<NonNullable<T>> & Default<T>

/** What every row has, whatever its type. */
export interface Row<T = unknown> {
  /** In the environment. */
  readonly name: string
  /** On the command line, when it has one; it beats the environment. */
  readonly flag?: string
  readonly group: Group
  readonly kind: Kind<T>
  /** Never printed, not even when it is wrong. */
  readonly secret?: true
  /** What it does: a sentence without its full stop. */
  readonly about: string
  /** What this build does instead, when nothing in it honours the setting: a warning when it is set. */
  readonly ignored?: string
}

/** A setting without a default may be absent, and only such a one. */
type Default<T> = undefined extends T
  ? { readonly default?: never }
  : { /** As a person would write it. */ readonly default: string }
