import type { KernelError } from '../error.ts'
import { maxDepth } from './json.ts'
import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  type Document,
  excerpt,
  openBrace,
  openBracket,
  quote,
  skipLiteral,
  skipMark,
  skipSpace,
  skipString,
  textOf,
  unexpected,
} from './token.ts'

// Checks the grammar of JSON over bytes and builds nothing: JSON.parse, which is native, makes the
// values of what has passed. By itself it would take any depth and the last of duplicate members.

/** The member names of one object so far: all, or the offset of the last where they must ascend. */
export interface Names {
  readonly seen?: Set<string>
  last: number
}

/** Checks a whole document. */
export function checkDocument(doc: Document): void {
  checkEnd(doc, skipValue(doc, skipSpace(doc, 0)))
}

/** Checks that nothing but space comes at `at` and after. */
export function checkEnd(doc: Document, at: number): void {
  const end = skipSpace(doc, at)
  if (end < doc.bytes.length) throw unexpected(doc, end, 'the end')
}

/** Checks the value that begins at `at`. */
export function skipValue(doc: Document, at: number, depth: number = maxDepth): number {
  const first = doc.bytes[at] ?? 0
  if (first === quote) return skipString(doc, at)
  if (first === openBrace || first === openBracket) {
    if (depth === 0) throw doc.notJson(at, `nested deeper than ${maxDepth}`)
    return first === openBrace ? skipObject(doc, at, depth - 1) : skipArray(doc, at, depth - 1)
  }
  return skipLiteral(doc, at)
}

function skipArray(doc: Document, open: number, depth: number): number {
  let at = skipSpace(doc, open + 1)
  if (doc.bytes[at] === closeBracket) return at + 1
  for (;;) {
    at = skipSpace(doc, skipValue(doc, at, depth))
    if (doc.bytes[at] === closeBracket) return at + 1
    at = skipMark(doc, at, comma, '"," or "]"')
  }
}

function skipObject(doc: Document, open: number, depth: number): number {
  let at = skipSpace(doc, open + 1)
  if (doc.bytes[at] === closeBrace) return at + 1
  const names = newNames(doc)
  for (;;) {
    at = skipSpace(doc, skipValue(doc, skipName(doc, at, names), depth))
    if (doc.bytes[at] === closeBrace) return at + 1
    at = skipMark(doc, at, comma, '"," or "}"')
  }
}

export function newNames(doc: Document): Names {
  return doc.notCanonical === undefined ? { seen: new Set(), last: 0 } : { last: 0 }
}

/** Checks a member's name, and the colon behind it. */
export function skipName(doc: Document, at: number, names: Names): number {
  const end = skipString(doc, at)
  if (names.seen !== undefined) {
    const name = nameAt(doc, at, end)
    if (names.seen.has(name)) throw twice(doc, name, at)
    names.seen.add(name)
  } else if (names.last > 0) checkOrder(doc, names.last, at)
  names.last = at
  return skipMark(doc, skipSpace(doc, end), colon, '":"')
}

function checkOrder(doc: Document, last: number, at: number): void {
  const order = compareNames(doc, last, at)
  if (order < 0) return
  const name = nameAt(doc, at)
  if (order === 0) throw twice(doc, name, at)
  const message = `member ${quoted(name)} after ${quoted(nameAt(doc, last))}`
  throw (doc.notCanonical ?? doc.notJson)(at, message)
}

/** Compares two names by UTF-16 units (RFC 8785, section 3.2.3). */
function compareNames(doc: Document, a: number, b: number): number {
  const { bytes } = doc
  for (let k = 1; ; k++) {
    const x = bytes[a + k] ?? 0
    const y = bytes[b + k] ?? 0
    if (x === y && x !== quote && x !== backslash) continue
    // UTF-8 sorts as UTF-16 does, but for U+E000 to U+FFFF against what UTF-16 writes as surrogates.
    if (x === backslash || y === backslash || (x >= 0xee && y >= 0xee)) {
      return nameAt(doc, a) < nameAt(doc, b) ? -1 : nameAt(doc, a) > nameAt(doc, b) ? 1 : 0
    }
    return x === y ? 0 : x === quote ? -1 : y === quote ? 1 : x - y
  }
}

/** The name whose quote is at `at`. */
export function nameAt(doc: Document, at: number, end: number = skipString(doc, at)): string {
  const text = textOf(doc, at, end)
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1)
}

function twice(doc: Document, name: string, at: number): KernelError {
  return doc.notJson(at, `member ${quoted(name)} twice`)
}

function quoted(name: string): string {
  return JSON.stringify(excerpt(name))
}
