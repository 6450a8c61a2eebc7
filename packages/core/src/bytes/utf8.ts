import { KernelError } from '../error.ts'

// The core has its own codec: QuickJS-in-Wasm has neither TextEncoder nor TextDecoder, and
// TextDecoder's default turns bad bytes into U+FFFD, which would make two documents one.

/** UTF-8 of a well-formed string. Throws `BYTES_INVALID` on a lone surrogate. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return encodeRest(text, i, bytes)
    bytes[i] = code
  }
  return bytes
}

/** The same when `text` is ASCII, and already encoded, only before `start`. */
function encodeRest(text: string, start: number, ascii: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(start + (text.length - start) * 3)
  bytes.set(ascii.subarray(0, start))
  let at = start
  for (let i = start; i < text.length; i++) {
    const code = text.codePointAt(i) ?? 0
    if (code >= 0xd800 && code < 0xe000) {
      throw new KernelError('BYTES_INVALID', `lone surrogate at UTF-16 unit ${i}`)
    }
    if (code < 0x80) {
      bytes[at++] = code
      continue
    }
    if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6)
    } else {
      if (code < 0x10000) {
        bytes[at++] = 0xe0 | (code >> 12)
      } else {
        i++
        bytes[at++] = 0xf0 | (code >> 18)
        bytes[at++] = 0x80 | ((code >> 12) & 0x3f)
      }
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f)
    }
    bytes[at++] = 0x80 | (code & 0x3f)
  }
  return bytes.slice(0, at)
}

/** UTF-16 units handed to String.fromCharCode at once: as arguments, they must fit on the stack. */
const chunk = 4096

/**
 * Strict UTF-8 (RFC 3629) from `start` to `end` as a string. At the first bad sequence throws what
 * `refuse` makes of its offset: `BYTES_INVALID` when not given.
 */
export function decodeUtf8(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  refuse: (at: number) => KernelError = notUtf8,
): string {
  let text = ''
  const units = new Array<number>(Math.min(chunk, end - start))
  let count = 0
  for (let at = start; at < end;) {
    if (count >= chunk) {
      text += fromUnits(units, count)
      count = 0
    }
    const first = bytes[at] ?? 0
    if (first < 0x80) {
      units[count++] = first
      at++
      continue
    }
    const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    const code = at + size > end ? -1 : codePoint(bytes, at, size)
    if (code < 0) throw refuse(at)
    at += size
    if (code >= 0x10000) units[count++] = 0xd7c0 + (code >> 10)
    units[count++] = code < 0x10000 ? code : 0xdc00 | (code & 0x3ff)
  }
  return text + fromUnits(units, count)
}

function fromUnits(units: number[], count: number): string {
  return String.fromCharCode.apply(null, count === units.length ? units : units.slice(0, count))
}

/** The code point of the `size` bytes at `at`; -1 when they are not the one encoding of one. */
function codePoint(bytes: Uint8Array, at: number, size: number): number {
  const first = bytes[at] ?? 0
  if (first < 0xc2 || first > 0xf4) return -1
  let code = first & (0x7f >> size)
  for (let k = 1; k < size; k++) {
    const next = bytes[at + k] ?? 0
    if ((next & 0xc0) !== 0x80) return -1
    code = (code << 6) | (next & 0x3f)
  }
  const least = size === 4 ? 0x10000 : size === 3 ? 0x800 : 0x80
  const surrogate = code >= 0xd800 && code < 0xe000
  return code < least || code > 0x10ffff || surrogate ? -1 : code
}

function notUtf8(at: number): KernelError {
  return new KernelError('BYTES_INVALID', 'not UTF-8', { at: `byte ${at}` })
}
