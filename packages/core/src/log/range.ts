import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import { emptyRoot, nodeHash } from './tree.ts'

/** The right edge of a growing tree: all that is needed to append and to know the root. */
export interface Range {
  /** Leaves so far. */
  readonly size: number
  append(leafHash: Uint8Array): void
  /** The RFC 6962 root. */
  root(): Uint8Array
  /** Roots of the complete subtrees, left to right: one for each 1 in the binary of `size`. */
  hashes(): readonly Uint8Array[]
}

/** An empty range, or one that goes on where another's `size` and `hashes` stood. */
export function createRange(
  crypto: Crypto,
  from: { readonly size: number; readonly hashes: readonly Uint8Array[] } = { size: 0, hashes: [] },
): Range {
  let size = from.size
  const edge = [...from.hashes]
  if (!Number.isSafeInteger(size) || size < 0 || edge.length !== ones(size)) {
    throw new KernelError('BYTES_INVALID', `${edge.length} hashes are no edge of ${size} leaves`)
  }
  const join = (right: Uint8Array, left: Uint8Array) => nodeHash(crypto, left, right)
  return {
    get size() {
      return size
    },
    append(leafHash) {
      let hash = leafHash
      // Each trailing 1 of the old size is a complete subtree as large as the one carried.
      for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
        hash = join(hash, edge.pop() ?? hash)
      }
      edge.push(hash)
      size++
    },
    root: () => (size === 0 ? emptyRoot(crypto) : edge.reduceRight(join)),
    hashes: () => [...edge],
  }
}

// Sizes go to 2^53 − 1: no bit operators, which cut to 32 bits.
function ones(size: number): number {
  return size.toString(2).replaceAll('0', '').length
}
