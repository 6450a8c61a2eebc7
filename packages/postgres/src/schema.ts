import { KernelError } from '@helm-ai-kernel/core'

/** Says of the table of migrations that it, and so the schema, is ours. */
export const mark = 'helm-ai-kernel ledger'

/** Names as they stand in statements. Checked here once, so they need no quoting there. */
export interface Schema {
  readonly name: string
  readonly migration: string
  readonly entry: string
  readonly scope: string
  readonly tile: string
  readonly tip: string
  readonly keep: string
  /** On which appends are told of. */
  readonly channel: string
}

/** Throws `CONFIG_INVALID`. */
export function schemaOf(name: string): Schema {
  if (!/^[a-z_][a-z0-9_]{0,49}$/.test(name) || name.startsWith('pg_')) {
    throw new KernelError(
      'CONFIG_INVALID',
      'the schema of the ledger must be 1 to 50 of a-z 0-9 _ and not begin with a digit or pg_',
    )
  }
  const table = (kind: string) => `"${name}".${kind}`
  return Object.freeze({
    name,
    migration: table('migration'),
    entry: table('entry'),
    scope: table('scope'),
    tile: table('tile'),
    tip: table('tip'),
    keep: table('keep'),
    channel: `"${name}_appended"`,
  })
}
