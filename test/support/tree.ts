import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  type HashOf,
  emptyRoot,
  encodeEntries,
  leafHash,
  nodeHash,
} from '../../packages/core/src/log/index.ts'
import type { Tiles } from '../../packages/core/src/ports/tiles.ts'

/** `count` leaf hashes, all different. */
export function leafHashes(count: number): readonly Uint8Array[] {
  const leaf = (i: number) => Uint8Array.of(i & 255, i >> 8, i >> 16)
  return Array.from({ length: count }, (_, i) => leafHash(crypto, leaf(i)))
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
  const known = new Map<string, Uint8Array>()
  const hashOf: HashOf = (level, index) => {
    if (level === 0) return leaves[index] ?? missing(`no leaf ${index}`)
    if ((index + 1) * 2 ** level > leaves.length) missing(`no subtree ${index} of level ${level}`)
    const name = `${level}/${index}`
    const hash =
      known.get(name) ??
      nodeHash(crypto, hashOf(level - 1, index * 2), hashOf(level - 1, index * 2 + 1))
    known.set(name, hash)
    return hash
  }
  return hashOf
}

/** The tiles of a log, as C2SP tlog-tiles defines them, and whatever it publishes as its checkpoint. */
export function tilesOf(
  leaves: readonly Uint8Array[],
  entries: readonly Uint8Array[] = [],
  checkpoint?: () => Uint8Array | undefined,
): Tiles {
  const hashOf = hashesOf(leaves)
  return {
    checkpoint: async () => checkpoint?.(),
    async tile({ level, index, width }) {
      const first = index * 256
      if (level === 'entries') {
        const bundle = entries.slice(first, first + width)
        return bundle.length === width ? encodeEntries(bundle) : undefined
      }
      if ((first + width) * 256 ** level > leaves.length) return undefined
      const hashes = Array.from({ length: width }, (_, i) => hashOf(level * 8, first + i))
      return Uint8Array.from(hashes.flatMap((hash) => [...hash]))
    },
  }
}

function missing(what: string): never {
  throw new Error(what)
}
