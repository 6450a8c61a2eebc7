import { KernelError } from '../error.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const values: ReadonlyMap<string, number> = new Map([...alphabet].map((c, i) => [c, i]))

/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text += alphabet.charAt(word >> 18) + alphabet.charAt((word >> 12) & 63)
    text += left > 1 ? alphabet.charAt((word >> 6) & 63) : '='
    text += left > 2 ? alphabet.charAt(word & 63) : '='
  }
  return text
}

/** Decodes the one canonical encoding: padded, no space, unused bits zero. Throws `BYTES_INVALID`. */
export function decodeBase64(text: string, what = 'base64'): Uint8Array {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array(Math.max(0, (text.length / 4) * 3 - padding))
  let at = 0
  let ok = text.length % 4 === 0
  for (let i = 0; ok && i < text.length; i += 4) {
    let word = 0
    for (let k = i; k < i + 4; k++) {
      const value = k >= text.length - padding ? 0 : values.get(text.charAt(k))
      if (value === undefined) ok = false
      word = (word << 6) | (value ?? 0)
    }
    for (const shift of [16, 8, 0]) if (at < bytes.length) bytes[at++] = (word >> shift) & 255
  }
  if (!ok || encodeBase64(bytes) !== text) {
    throw new KernelError('BYTES_INVALID', `${what} must be standard padded base64`)
  }
  return bytes
}
