import { KernelError } from '../error.ts'
import { decodeUtf8, encodeUtf8 } from './utf8.ts'

const alphabet = encodeUtf8('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const padding = 0x3d

/** The value of each byte; -1 when it is not of the alphabet. */
const values = new Int8Array(256).fill(-1)
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
  const characters = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) characters[i] = Math.min(text.charCodeAt(i), 0x80)
  const bytes = readBase64(characters)
  if (bytes === undefined) {
    throw new KernelError('BYTES_INVALID', `${what} must be standard padded base64`)
  }
  return bytes
}

/** The same from ASCII bytes; undefined when they are not the one encoding of anything. */
export function readBase64(text: Uint8Array): Uint8Array | undefined {
  const { length } = text
  if (length % 4 !== 0) return undefined
  const pads = text[length - 1] !== padding ? 0 : text[length - 2] !== padding ? 1 : 2
  const bytes = new Uint8Array((length / 4) * 3 - pads)
  const whole = pads === 0 ? length : length - 4
  let at = 0
  // A character that is not of the alphabet has the value −1: its sign is in `seen` at the end.
  let seen = 0
  for (let i = 0; i < whole; i += 4) {
    const a = valueOf(text[i])
    const b = valueOf(text[i + 1])
    const c = valueOf(text[i + 2])
    const d = valueOf(text[i + 3])
    seen |= a | b | c | d
    bytes[at] = (a << 2) | (b >> 4)
    bytes[at + 1] = (b << 4) | (c >> 2)
    bytes[at + 2] = (c << 6) | d
    at += 3
  }
  if (pads > 0) {
    const a = valueOf(text[whole])
    const b = valueOf(text[whole + 1])
    const c = pads === 1 ? valueOf(text[whole + 2]) : 0
    seen |= a | b | c
    const unused = pads === 1 ? c & 0b11 : b & 0b1111
    if (unused !== 0) return undefined
    bytes[at] = (a << 2) | (b >> 4)
    if (pads === 1) bytes[at + 1] = (b << 4) | (c >> 2)
  }
  return seen < 0 ? undefined : bytes
}

function valueOf(character = 0x80): number {
  return values[character] ?? -1
}
