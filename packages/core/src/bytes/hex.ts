import { type ErrorCode, KernelError } from '../error.ts'

const pairs: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/** Lowercase hex. */
export function encodeHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += pairs[byte] ?? ''
  return text
}

/** Decodes exactly `length` bytes of hex, either case. Throws `code`, naming `what`. */
export function decodeHex(
  text: string,
  length: number,
  what: string,
  code: ErrorCode = 'BYTES_INVALID',
): Uint8Array {
  if (text.length !== length * 2 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new KernelError(code, `${what} must be ${length * 2} hex digits`)
  }
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return bytes
}
