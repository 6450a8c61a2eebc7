import type { ErrorCode } from '../error.ts'
import { KernelError } from '../error.ts'
import { checkSize, type JsonLimits } from './decode.ts'
import {
  checkDocument,
  checkEnd,
  closeBrace,
  closeBracket,
  comma,
  type Document,
  maxDepth,
  nameAt,
  newNames,
  openBrace,
  openBracket,
  skipMark,
  skipName,
  skipSpace,
  skipValue,
  textOf,
} from './grammar.ts'
import type { Json, JsonObject } from './json.ts'

export interface CanonicalLimits extends JsonLimits {
  /** Of the error when it is JSON, but not in canonical form. */
  readonly notCanonical: ErrorCode
  /** A member of the outermost object that holds a long array: its elements are read in slices. */
  readonly elementsOf?: string
  /** An element of that array may have so many bytes. */
  readonly maxElementBytes?: number
}

/** Bytes checked and read before a pause: well under a millisecond. */
const sliceBytes = 65_536

/**
 * Decodes bytes that must be canonical JSON (RFC 8785). Throws `limits.notCanonical` or, when they
 * are not strict JSON at all, `limits.code`: the first thing wrong decides.
 */
export function decodeCanonical(bytes: Uint8Array, limits: CanonicalLimits): Json {
  const steps = decodeCanonicalSliced(bytes, limits)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
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
  let [from, to] = [bytes.length, bytes.length]
  for (let at = skipSpace(doc, 1); ; at = skipMark(doc, at, comma, '"," or "}"')) {
    const value = skipName(doc, at, names)
    if (bytes[value] === openBracket && nameAt(doc, at) === name) {
      from = value + 1
      to = yield* readElements(bytes, limits, from, elements)
      at = to + 1
    } else at = skipValue(doc, value, maxDepth - 1)
    at = skipSpace(doc, at)
    if (bytes[at] === closeBrace) {
      checkEnd(doc, at + 1)
      break
    }
  }
  const rest = JSON.parse(textOf(doc, 0, from) + textOf(doc, to, bytes.length)) as JsonObject
  return from === to ? rest : { ...rest, [name]: elements }
}

/** Reads elements of an array from `start` on; returns the offset of its end. */
function* readElements(
  bytes: Uint8Array,
  limits: CanonicalLimits,
  start: number,
  elements: Json[],
): Generator<undefined, number> {
  const { maxElementBytes = limits.maxBytes, elementsOf: name } = limits
  let count = 0
  const doc = documentOf(bytes, limits, () => `, ${name}[${count}]`)
  let at = skipSpace(doc, start)
  if (bytes[at] === closeBracket) return at
  for (let from = at; ; count++) {
    const end = skipValue(doc, at, maxDepth - 2)
    if (end - at > maxElementBytes) {
      const message = `an element is ${end - at} bytes, at most ${maxElementBytes} are allowed`
      throw new KernelError(limits.code, message, { at: `${name}[${count}]` })
    }
    at = skipSpace(doc, end)
    const last = bytes[at] === closeBracket
    if (last || end - from >= sliceBytes) {
      for (const value of JSON.parse(`[${textOf(doc, from, end)}]`) as Json[]) elements.push(value)
      from = at + 1
      yield
    }
    if (last) return at
    at = skipMark(doc, at, comma, '"," or "]"')
  }
}

function documentOf(bytes: Uint8Array, limits: CanonicalLimits, path = (): string => ''): Document {
  const fault = (code: ErrorCode, form: string) => (at: number, message: string) =>
    new KernelError(code, `${limits.what} is not ${form}: ${message}`, {
      at: `byte ${at}${path()}`,
    })
  return {
    bytes,
    notJson: fault(limits.code, 'strict JSON'),
    notCanonical: fault(limits.notCanonical, 'canonical JSON'),
  }
}
