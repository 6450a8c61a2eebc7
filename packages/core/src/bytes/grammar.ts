import type { KernelError } from '../error.ts'
import { encodeHex } from './hex.ts'
import { decodeUtf8 } from './utf8.ts'

// Checks the grammar over bytes and builds nothing: JSON.parse, which is native, makes the values of
// what has passed. Alone it would take any depth, lone surrogates, and the last of duplicate members.

/** How deep arrays and objects may nest. */
export const maxDepth = 64

/** A document under check, and what to throw about a byte of it. */
export interface Document {
  readonly bytes: Uint8Array
  readonly notJson: (at: number, message: string) => KernelError
  /** Given when the bytes must also be in the one form of RFC 8785. */
  readonly notCanonical?: (at: number, message: string) => KernelError
}

/** The member names of one object so far: all, or the offset of the last where they must ascend. */
export interface Names {
  readonly seen?: Set<string>
  last: number
}

export const comma = 0x2c
export const openBracket = 0x5b
export const closeBracket = 0x5d
export const openBrace = 0x7b
export const closeBrace = 0x7d
const quote = 0x22
const minus = 0x2d
const zero = 0x30
const colon = 0x3a
const backslash = 0x5c

/** Checks a whole document. */
export function checkDocument(doc: Document): void {
  checkEnd(doc, skipValue(doc, skipSpace(doc, 0)))
}

/** Checks that nothing but space comes at `at` and after. */
export function checkEnd(doc: Document, at: number): void {
  const end = skipSpace(doc, at)
  if (end < doc.bytes.length) throw unexpected(doc, end, 'the end')
}

/** Checks the value that begins at `at`. Like every skip here, returns the offset of what follows. */
export function skipValue(doc: Document, at: number, depth: number = maxDepth): number {
  const first = doc.bytes[at] ?? 0
  if (first === quote) return skipString(doc, at)
  if (first === openBrace || first === openBracket) {
    if (depth === 0) throw doc.notJson(at, `nested deeper than ${maxDepth}`)
    return first === openBrace ? skipObject(doc, at, depth - 1) : skipArray(doc, at, depth - 1)
  }
  return first === minus || isDigit(first) ? skipNumber(doc, at) : skipWord(doc, at)
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
    const name = nameAt(doc, at)
    if (names.seen.has(name)) throw twice(doc, at)
    names.seen.add(name)
  } else if (names.last > 0) {
    const order = compareNames(doc, names.last, at)
    if (order === 0) throw twice(doc, at)
    if (order > 0)
      throw doc.notCanonical?.(at, `member ${named(doc, at)} after ${named(doc, names.last)}`)
  }
  names.last = at
  return skipMark(doc, skipSpace(doc, end), colon, '":"')
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
export function nameAt(doc: Document, at: number): string {
  const text = textOf(doc, at, skipString(doc, at))
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1)
}

function skipString(doc: Document, open: number): number {
  const { bytes } = doc
  if (bytes[open] !== quote) throw unexpected(doc, open, 'a string')
  for (let at = open + 1; ;) {
    const byte = bytes[at] ?? 0
    if (byte === quote) return at + 1
    if (byte === backslash) at = skipEscape(doc, at)
    else if (byte >= 0x20) at++
    else throw unexpected(doc, at, 'the rest of a string')
  }
}

/** An escaped surrogate counts only with its other half. */
const escape =
  /^\\(?:["\\/bfnrt]|u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u(?![dD][89a-fA-F])[\da-fA-F]{4})/

function skipEscape(doc: Document, at: number): number {
  if ('"\\bfnrt'.includes(String.fromCharCode(doc.bytes[at + 1] ?? 0))) return at + 2
  const ahead = String.fromCharCode(...doc.bytes.subarray(at, at + 12))
  const found = escape.exec(ahead)?.[0]
  if (found === undefined) throw doc.notJson(at, 'not an escape, or half of a surrogate pair')
  checkForm(doc, at, found, JSON.stringify(JSON.parse(`"${found}"`)).slice(1, -1))
  return at + found.length
}

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function skipNumber(doc: Document, at: number): number {
  const digits = doc.bytes[at] === minus ? at + 1 : at
  let end = digits
  while (isDigit(doc.bytes[end])) end++
  const whole = end > digits && !isNumeric(doc.bytes[end])
  // Fifteen digits are always safe, and canonical unless they begin with a zero.
  if (whole && end - digits < 16 && (doc.bytes[digits] !== zero || end === at + 1)) return end

  while (isNumeric(doc.bytes[end])) end++
  const literal = textOf(doc, at, end)
  if (!number.test(literal)) throw doc.notJson(at, `${excerpt(literal)} is not a number`)
  const value = Number(literal)
  if (whole && !Number.isSafeInteger(value)) {
    throw doc.notJson(at, `integer ${excerpt(literal)} is beyond 2^53 - 1: write it as a string`)
  }
  if (!Number.isFinite(value) || (value === 0 && /^[^eE]*[1-9]/.test(literal))) {
    throw doc.notJson(at, `number ${excerpt(literal)} does not fit a double`)
  }
  checkForm(doc, at, literal, String(value))
  return end
}

function skipWord(doc: Document, at: number): number {
  for (const word of ['true', 'false', 'null']) {
    let k = 0
    while (k < word.length && doc.bytes[at + k] === word.charCodeAt(k)) k++
    if (k === word.length) return at + k
  }
  throw unexpected(doc, at, 'a value')
}

export function skipMark(doc: Document, at: number, mark: number, what: string): number {
  if (doc.bytes[at] !== mark) throw unexpected(doc, at, what)
  return skipSpace(doc, at + 1)
}

export function skipSpace(doc: Document, at: number): number {
  return (doc.bytes[at] ?? 0) > 0x20 ? at : skipSomeSpace(doc, at)
}

function skipSomeSpace(doc: Document, at: number): number {
  const { bytes, notCanonical } = doc
  let end = at
  while (isSpace(bytes[end])) end++
  if (end === at || notCanonical === undefined) return end
  if (end < bytes.length) throw notCanonical(at, 'white space')
  throw notCanonical(at, bytes[end - 1] === 0x0a ? 'a trailing newline' : 'trailing white space')
}

function isDigit(byte = 0): boolean {
  return byte >= zero && byte <= 0x39
}

/** Whether a byte can be part of a number: a digit, or one of `+ - . E e`. */
function isNumeric(byte = 0): boolean {
  return isDigit(byte) || byte === 0x2b || byte === minus || byte === 0x2e || (byte | 0x20) === 0x65
}

function isSpace(byte = 0): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** The bytes from `start` to `end` as a string. */
export function textOf(doc: Document, start: number, end: number): string {
  return decodeUtf8(doc.bytes, start, end, (at) => doc.notJson(at, 'not UTF-8'))
}

function checkForm(doc: Document, at: number, found: string, form: string): void {
  if (doc.notCanonical === undefined || found === form) return
  throw doc.notCanonical(at, `${excerpt(found)} is written ${form}`)
}

function twice(doc: Document, at: number): KernelError {
  return doc.notJson(at, `member ${named(doc, at)} twice`)
}

function unexpected(doc: Document, at: number, what: string): KernelError {
  const byte = doc.bytes[at]
  const found =
    byte === undefined
      ? 'the end'
      : at === 0 && byte === 0xef
        ? 'a byte order mark'
        : byte > 0x20 && byte < 0x7f
          ? `"${String.fromCharCode(byte)}"`
          : `byte 0x${encodeHex(doc.bytes.subarray(at, at + 1))}`
  return doc.notJson(at, `expected ${what}, found ${found}`)
}

function named(doc: Document, at: number): string {
  return JSON.stringify(excerpt(nameAt(doc, at)))
}

function excerpt(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
