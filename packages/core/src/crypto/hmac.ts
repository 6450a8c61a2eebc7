import type { Crypto } from '../ports/crypto.ts'

const block = 64

/**
 * HMAC-SHA256 (RFC 2104) under one key of at most 64 bytes. It salts every receipt, so the padded
 * blocks are made once and written over; through the Crypto port it is as fast as the host's SHA-256.
 */
export function hmacSha256(crypto: Crypto, key: Uint8Array): (message: Uint8Array) => Uint8Array {
  const padded = new Uint8Array(block)
  padded.set(key)
  const outer = new Uint8Array(block + 32)
  outer.set(padded.map((byte) => byte ^ 0x5c))
  let inner = padded.map((byte) => byte ^ 0x36)
  return (message) => {
    if (inner.length !== block + message.length) {
      const other = new Uint8Array(block + message.length)
      other.set(inner.subarray(0, block))
      inner = other
    }
    inner.set(message, block)
    outer.set(crypto.sha256(inner), block)
    return crypto.sha256(outer)
  }
}
