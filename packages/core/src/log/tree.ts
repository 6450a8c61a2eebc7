import { transient } from '../bytes/transient.ts'
import type { Crypto } from '../ports/crypto.ts'

// RFC 6962 section 2.1. The first byte keeps leaves and nodes apart, so that no entry can be taken
// for the two hashes of a node.

const leafMark = Uint8Array.of(0)
const nodeMark = Uint8Array.of(1)

/** SHA-256(0x00 ‖ entry). */
export function leafHash(crypto: Crypto, entry: Uint8Array): Uint8Array {
  return crypto.sha256(transient(leafMark, entry))
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(crypto: Crypto, left: Uint8Array, right: Uint8Array): Uint8Array {
  return crypto.sha256(transient(nodeMark, left, right))
}

/** The root of a tree without leaves: SHA-256 of nothing. */
export function emptyRoot(crypto: Crypto): Uint8Array {
  return crypto.sha256(new Uint8Array(0))
}
