import type { ErrorCode } from '../error.ts'
import { KernelError } from '../error.ts'
import { checkDocument } from './grammar.ts'
import type { Json } from './json.ts'
import type { Document } from './token.ts'
import { decodeUtf8 } from './utf8.ts'

export interface JsonLimits {
  /** The document may have so many bytes. */
  readonly maxBytes: number
  /** Of the error when it is not strict JSON. */
  readonly code: ErrorCode
  /** What the document is, for the message: `trust root`. */
  readonly what: string
}

/**
 * Decodes strict JSON (design 2.1): UTF-8 without BOM, no member twice, at most 64 levels, no lone
 * surrogates, no integer beyond 2^53 - 1, no number that a double cannot hold. -0 stays -0, which is
 * equal to 0 and has its canonical form.
 * Throws `limits.code` with the line and column.
 */
export function decodeJson(bytes: Uint8Array, limits: JsonLimits): Json {
  checkSize(bytes, limits)
  const doc: Document = {
    bytes,
    notJson: (at, message) =>
      new KernelError(limits.code, `${limits.what} is not strict JSON: ${message}`, {
        at: lineAndColumn(bytes, at),
      }),
  }
  const text = decodeUtf8(bytes, 0, bytes.length, (at) => doc.notJson(at, 'not UTF-8'))
  checkDocument(doc)
  return JSON.parse(text) as Json
}

/** Throws `limits.code` when there are more bytes than may be. */
export function checkSize(bytes: Uint8Array, limits: JsonLimits): void {
  if (bytes.length <= limits.maxBytes) return
  throw new KernelError(
    limits.code,
    `${limits.what} is ${bytes.length} bytes, at most ${limits.maxBytes} are allowed`,
  )
}

/** Columns count characters, from 1. */
function lineAndColumn(bytes: Uint8Array, at: number): string {
  let line = 1
  let column = 1
  for (const byte of bytes.subarray(0, at)) {
    if (byte === 0x0a) {
      line++
      column = 1
    } else if ((byte & 0xc0) !== 0x80) column++
  }
  return `line ${line}, column ${column}`
}
