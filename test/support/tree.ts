import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import { type HashOf, emptyRoot, leafHash, nodeHash } from '../../packages/core/src/log/index.ts'

/** `count` leaf hashes, all different. */
export function leafHashes(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => leafHash(crypto, Uint8Array.of(i & 255, i >> 8)))
}

/** The root as RFC 6962 section 2.1 defines it, word for word. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (only === undefined) return emptyRoot(crypto)
  if (leaves.length === 1) return only
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return nodeHash(crypto, naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

/** Answers for the complete subtrees of `leaves`, and for nothing beyond them. */
export function hashesOf(leaves: readonly Uint8Array[]): HashOf {
  return (level, index) => {
    const width = 2 ** level
    const end = (index + 1) * width
    if (end > leaves.length) throw new Error(`no complete subtree at level ${level}, ${index}`)
    return naiveRoot(leaves.slice(index * width, end))
  }
}
