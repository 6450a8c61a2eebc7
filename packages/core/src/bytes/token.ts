import type { KernelError } from '../error.ts'
import { encodeHex } from './hex.ts'
import { decodeUtf8 } from './utf8.ts'

// Checks the tokens of JSON over bytes and makes nothing of them. Every `skip` takes the offset of what
// it checks and returns the offset of what follows.

/** A document under check, and what to throw about a byte of it. */
export interface Document {
  readonly bytes: Uint8Array
  readonly notJson: (at: number, message: string) => KernelError
  /** Given when the bytes must also be canonical (RFC 8785). */
  readonly notCanonical?: (at: number, message: string) => KernelError
  /** A host's UTF-8 decoder, where it has a faster one. */
  readonly text?: ((bytes: Uint8Array) => string) | undefined
}

export const comma = 0x2c
export const colon = 0x3a
export const openBracket = 0x5b
export const closeBracket = 0x5d
export const openBrace = 0x7b
export const closeBrace = 0x7d
export const quote = 0x22
export const backslash = 0x5c
const minus = 0x2d
const zero = 0x30

/** Checks a string, from its opening quote. */
export function skipString(doc: Document, open: number): number {
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

/** Checks a number, `true`, `false` or `null`. */
export function skipLiteral(doc: Document, at: number): number {
  const first = doc.bytes[at]
  return first === minus || isDigit(first) ? skipNumber(doc, at) : skipWord(doc, at)
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

/** Checks that `mark` stands here, and skips the space behind it; `what` was expected. */
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
  try {
    if (doc.text !== undefined) return doc.text(doc.bytes.subarray(start, end))
  } catch {
    // Ours says at which byte.
  }
  return decodeUtf8(doc.bytes, start, end, (at) => doc.notJson(at, 'not UTF-8'))
}

function checkForm(doc: Document, at: number, found: string, form: string): void {
  if (doc.notCanonical === undefined || found === form) return
  throw doc.notCanonical(at, `${excerpt(found)} is written ${form}`)
}

export function unexpected(doc: Document, at: number, what: string): KernelError {
  return doc.notJson(at, `expected ${what}, found ${foundAt(doc.bytes, at)}`)
}

function foundAt(bytes: Uint8Array, at: number): string {
  const byte = bytes[at]
  if (byte === undefined) return 'the end'
  if (at === 0 && byte === 0xef) return 'a byte order mark'
  if (byte > 0x20 && byte < 0x7f) return `"${String.fromCharCode(byte)}"`
  return `byte 0x${encodeHex(bytes.subarray(at, at + 1))}`
}

/** For messages, which must not grow with the document. */
export function excerpt(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
