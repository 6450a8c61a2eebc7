import { KernelError } from '../error.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'

const alphabet = encodeUtf8('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const padding = 0x3d

/** The value of each ASCII character; -1 when it is not of the alphabet. */
const values = new Int8Array(128).fill(-1)
alphabet.forEach((character, value) => {
  values[character] = value
})

/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(base64Length(bytes.length))
  writeBase64(bytes, text, 0)
  return decodeUtf8(text)
}

/** How many characters the encoding of so many bytes has. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4
}

/** The same as ASCII bytes, written into `target` from `start` on. */
export function writeBase64(bytes: Uint8Array, target: Uint8Array, start: number): void {
  let at = start
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    target[at++] = alphabet[word >> 18] ?? 0
    target[at++] = alphabet[(word >> 12) & 63] ?? 0
    target[at++] = i + 1 < bytes.length ? (alphabet[(word >> 6) & 63] ?? 0) : padding
    target[at++] = i + 2 < bytes.length ? (alphabet[word & 63] ?? 0) : padding
  }
}

/** Decodes the one canonical encoding: padded, no space, unused bits zero. Throws `BYTES_INVALID`. */
export function decodeBase64(text: string, what = 'base64'): Uint8Array {
  const digits = text.endsWith('==') ? text.length - 2 : text.length - (text.endsWith('=') ? 1 : 0)
  const bytes = new Uint8Array((digits * 3) >> 2)
  let ok = text.length % 4 === 0
  let at = 0
  let word = 0
  let bits = 0
  for (let i = 0; i < digits; i++) {
    const value = values[text.charCodeAt(i)] ?? -1
    if (value < 0) ok = false
    word = (word << 6) | value
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = word >> bits
  }
  if (!ok || (word & ((1 << bits) - 1)) !== 0) {
    throw new KernelError('BYTES_INVALID', `${what} must be standard padded base64`)
  }
  return bytes
}
