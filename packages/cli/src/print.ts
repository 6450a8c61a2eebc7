import type { Given } from './command.ts'
import type { Io } from './io.ts'

/**
 * Answers on stdout: the document alone with `--json`, else the lines. Returns `code`, so that a
 * command ends with it.
 */
export function answer(
  io: Io,
  given: Given,
  document: unknown,
  lines: readonly string[],
  code = 0,
): number {
  if (given.flags.has('json')) printDocument(io, document)
  else print(io, 'stdout', lines)
  return code
}

export function printDocument(io: Io, document: unknown): void {
  io.stdout(`${escaped(JSON.stringify(document, null, 2))}\n`)
}

/** What is beside the answer goes to stderr. */
export function print(io: Io, to: 'stdout' | 'stderr', lines: readonly string[]): void {
  const paint = io.isTty && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb'
  for (const line of lines) {
    // INVARIANT: a line is one line, with no escape sequence but those that are added here.
    const text = escaped(line).replaceAll('\n', '\\u000a')
    io[to](`${paint ? painted(text) : text}\n`)
  }
}

/** Columns as wide as their widest cell; `widths` are those of rows before, and grow. */
export function table(
  rows: readonly (readonly string[])[],
  widths: number[] = [],
): readonly string[] {
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map((row) => {
    const cells = row.map((cell, i) => cell.padEnd(widths[i] ?? 0))
    return cells.join('  ').trimEnd()
  })
}

// Controls, what changes the direction of text or has no width, and halves of characters.
const unprintable = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

/** Shows what cannot be seen, as JSON writes it; newlines stay. */
function escaped(text: string): string {
  return text.replace(unprintable, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const green = 32
const red = 31
const yellow = 33

/** The first word of a line says how it went; it alone has a colour. */
const colours: ReadonlyMap<string, number> = new Map([
  ['PASS', green],
  ['pass', green],
  ['ready', green],
  ['ALLOW', green],
  ['FAIL', red],
  ['fail', red],
  ['error', red],
  ['DENY', red],
  ['ESCALATE', yellow],
  ['warning', yellow],
])

function painted(line: string): string {
  return line.replace(/[A-Za-z]+/, (word, at: number) => {
    const colour = line.slice(0, at).trim() === '' ? colours.get(word) : undefined
    return colour === undefined ? word : `\u001b[${colour}m${word}\u001b[0m`
  })
}
