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
  return decodeUtf8(base64Bytes(bytes))
}

/** The same as ASCII bytes: cheaper by half than a string where bytes are wanted in the end. */
export function base64Bytes(bytes: Uint8Array): Uint8Array {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(padding)
  let at = 0
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text[at++] = alphabet[word >> 18] ?? 0
    text[at++] = alphabet[(word >> 12) & 63] ?? 0
    if (i + 1 < bytes.length) text[at++] = alphabet[(word >> 6) & 63] ?? 0
    if (i + 2 < bytes.length) text[at++] = alphabet[word & 63] ?? 0
  }
  return text
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
