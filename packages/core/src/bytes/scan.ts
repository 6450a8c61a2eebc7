import type { ErrorCode } from '../error.ts'
import { KernelError } from '../error.ts'
import { checkSize, type JsonLimits } from './decode.ts'
import { checkDocument, checkEnd, nameAt, newNames, skipName, skipValue } from './grammar.ts'
import { finish } from './finish.ts'
import { type Json, type JsonObject, maxDepth } from './json.ts'
import {
  closeBrace,
  closeBracket,
  comma,
  type Document,
  openBrace,
  openBracket,
  skipMark,
  skipSpace,
  textOf,
} from './token.ts'

interface Slice {
  readonly start: number
  readonly end: number
}

export interface CanonicalLimits extends JsonLimits {
  /** Of the error when it is JSON, but not in canonical form. */
  readonly notCanonical: ErrorCode
  /** A member of the outermost object that holds a long array: its elements are read in slices. */
  readonly elementsOf?: string
  /** An element of that array may have so many bytes. */
  readonly maxElementBytes?: number
  /** A host's faster UTF-8 decoder; throws on bad bytes and keeps a byte order mark. */
  readonly text?: (bytes: Uint8Array) => string
}

/** Bytes checked and read before a pause: under a millisecond, and under five in a cold process. */
const sliceBytes = 65_536

/**
 * Decodes bytes that must be canonical JSON (RFC 8785). Throws `limits.notCanonical` or, when they
 * are not strict JSON at all, `limits.code`: the first thing wrong decides.
 */
export function decodeCanonical(bytes: Uint8Array, limits: CanonicalLimits): Json {
  return finish(decodeCanonicalSliced(bytes, limits))
}

/** The same, with a pause after each slice of `elementsOf`: the caller decides who runs meanwhile. */
export function* decodeCanonicalSliced(
  bytes: Uint8Array,
  limits: CanonicalLimits,
): Generator<undefined, Json> {
  checkSize(bytes, limits)
  const doc = documentOf(bytes, limits)
  const name = limits.elementsOf
  if (name === undefined || bytes[0] !== openBrace || bytes[1] === closeBrace) {
    checkDocument(doc)
    return JSON.parse(textOf(doc, 0, bytes.length)) as Json
  }
  const names = newNames(doc)
  const elements: Json[] = []
  let hole: Slice = { start: bytes.length, end: bytes.length }
  let at = skipSpace(doc, 1)
  for (;;) {
    const value = skipName(doc, at, names)
    if (bytes[value] === openBracket && nameAt(doc, at) === name) {
      hole = yield* readElements(doc, limits, value + 1, elements)
      at = hole.end + 1
    } else at = skipValue(doc, value, maxDepth - 1)
    at = skipSpace(doc, at)
    if (bytes[at] === closeBrace) break
    at = skipMark(doc, at, comma, '"," or "}"')
  }
  checkEnd(doc, at + 1)
  const shell = textOf(doc, 0, hole.start) + textOf(doc, hole.end, bytes.length)
  const root = JSON.parse(shell) as JsonObject
  return elements.length === 0 ? root : { ...root, [name]: elements }
}

/** Reads the elements of an array, the first of which is at `start`, and says where they were. */
function* readElements(
  doc: Document,
  limits: CanonicalLimits,
  start: number,
  elements: Json[],
): Generator<undefined, Slice> {
  const { maxElementBytes = limits.maxBytes, elementsOf: name } = limits
  const { bytes } = doc
  let count = 0
  const element = documentOf(bytes, limits, () => `, ${name}[${count}]`)
  let at = skipSpace(element, start)
  let unread = at
  while (bytes[at] !== closeBracket) {
    if (count > 0) at = skipMark(element, at, comma, '"," or "]"')
    const end = skipValue(element, at, maxDepth - 2)
    if (end - at > maxElementBytes) {
      throw new KernelError(
        limits.code,
        `an element of ${name} is ${end - at} bytes, at most ${maxElementBytes} are allowed`,
        { at: `${name}[${count}]` },
      )
    }
    at = skipSpace(element, end)
    count++
    if (end - unread >= sliceBytes || bytes[at] === closeBracket) {
      for (const item of JSON.parse(`[${textOf(doc, unread, end)}]`) as Json[]) elements.push(item)
      unread = at + 1
      yield
    }
  }
  return { start, end: at }
}

function documentOf(bytes: Uint8Array, limits: CanonicalLimits, path = (): string => ''): Document {
  const fault = (code: ErrorCode, form: string) => (at: number, message: string) =>
    new KernelError(code, `${limits.what} is not ${form}: ${message}`, {
      at: `byte ${at}${path()}`,
    })
  return {
    bytes,
    text: limits.text,
    notJson: fault(limits.code, 'strict JSON'),
    notCanonical: fault(limits.notCanonical, 'canonical JSON'),
  }
}
