// Arrays in PostgreSQL's own notation: postgres.js would have to ask the server for its types first.

type Element = string | number | boolean | undefined

/** An array of numbers, booleans or texts; undefined is NULL. */
export function arrayOf(values: readonly Element[]): string {
  return `{${values.map(literal).join()}}`
}

/** An array of byte strings that are given as hex; undefined is NULL. */
export function hexArrayOf(values: readonly (string | undefined)[]): string {
  return arrayOf(values.map((hex) => (hex === undefined ? undefined : `\\x${hex}`)))
}

function literal(value: Element): string {
  if (value === undefined) return 'NULL'
  if (typeof value !== 'string') return String(value)
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}

/**
 * A text for a column. PostgreSQL has no U+0000, which a statement may have: it becomes `\0`, and a
 * backslash two, so that different texts stay different.
 */
export function columnText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}
