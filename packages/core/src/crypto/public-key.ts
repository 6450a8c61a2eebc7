import { decodeHex } from '../bytes/hex.ts'
import { KernelError } from '../error.ts'
import { checkPublicKey } from './noble.ts'

/**
 * The 32 bytes of an Ed25519 public key from 64 hex digits, either case. A key under which anybody
 * could sign, or that has a second spelling, is refused here, when it is loaded (design 2.1).
 * Throws `KEY_INVALID`, naming `what`.
 */
export function parsePublicKey(hex: string, what: string): Uint8Array {
  const publicKey = decodeHex(hex, 32, what, 'KEY_INVALID')
  const check = checkPublicKey(publicKey)
  if (check !== 'ok') {
    throw new KernelError(
      'KEY_INVALID',
      `${what} ${hex.toLowerCase()} is ${check}; give an Ed25519 public key that keygen made`,
    )
  }
  return publicKey
}
