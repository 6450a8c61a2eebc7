import { decodeHex } from '../bytes/hex.ts'
import { KernelError } from '../error.ts'

/** The 32 bytes of an Ed25519 seed from 64 hex digits, either case. The message never shows them. */
export function parseSeed(hex: string, what: string): Uint8Array {
  return decodeHex(hex, 32, what, 'KEY_INVALID')
}

/** Refuses what is not 32 bytes, before a provider cuts or pads it. Throws `KEY_INVALID`. */
export function checkSeed(seed: Uint8Array): void {
  if (seed.length !== 32) {
    throw new KernelError('KEY_INVALID', `a seed must be 32 bytes, not ${seed.length}`)
  }
}
