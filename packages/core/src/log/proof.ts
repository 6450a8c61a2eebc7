import { equalBytes } from '../bytes/equal.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import { emptyRoot, nodeHash } from './tree.ts'

// RFC 6962 sections 2.1.1 and 2.1.2: a tree of n leaves splits at the largest power of two below n.
// Sizes go to 2^53 − 1, so there are no bit operators here: they cut to 32 bits.

/** 32-byte hashes in the order of RFC 6962: from the leaf up. */
export type Proof = readonly Uint8Array[]

/**
 * The hash of the complete subtree over leaves index · 2^level to (index + 1) · 2^level, exclusive.
 * Which ones a proof asks for depends on its numbers alone, so they can be fetched beforehand.
 */
export type HashOf = (level: number, index: number) => Uint8Array

/**
 * The claim that a leaf is number `index`, from 0, of the tree of `size` leaves. Take `size` and
 * `root` from one checkpoint: some sizes share the shape of a path, so a root alone does not fix it.
 */
export interface Inclusion {
  readonly leafHash: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
}

/** The claim that the tree of `from` leaves is how the tree of `to` leaves begins. */
export interface Consistency {
  readonly from: number
  readonly to: number
  readonly fromRoot: Uint8Array
  readonly toRoot: Uint8Array
}

/** Throws `PROOF_INVALID` when there is no such leaf. */
export function inclusionProof(crypto: Crypto, index: number, size: number, hashOf: HashOf): Proof {
  if (!isSize(index) || !isSize(size) || index >= size) {
    throw new KernelError('PROOF_INVALID', `a tree of ${size} leaves has no leaf ${index}`)
  }
  return descend(index, size, isLeaf).siblings.map((span) => rootOf(crypto, span, hashOf))
}

/** Throws `PROOF_INVALID` when `from` is more than `to`. */
export function consistencyProof(crypto: Crypto, from: number, to: number, hashOf: HashOf): Proof {
  if (!isSize(from) || !isSize(to) || from > to) {
    throw new KernelError('PROOF_INVALID', `a tree of ${to} leaves has no beginning of ${from}`)
  }
  if (from === 0) return []
  const { end, siblings } = descend(from - 1, to, endsAt(from))
  // A subtree that is the whole old tree is known by the old root.
  const spans = end.lo === 0 ? siblings : [end, ...siblings]
  return spans.map((span) => rootOf(crypto, span, hashOf))
}

/** The RFC 6962 root of the first `size` leaves. */
export function treeRoot(crypto: Crypto, size: number, hashOf: HashOf): Uint8Array {
  return size === 0 ? emptyRoot(crypto) : rootOf(crypto, { lo: 0, hi: size }, hashOf)
}

/** Whether all of `proof`, and nothing less, proves the claim. Never throws. */
export function verifyInclusion(crypto: Crypto, claim: Inclusion, proof: Proof): boolean {
  const { index, size } = claim
  if (!isSize(index) || !isSize(size) || index >= size) return false
  const { siblings } = descend(index, size, isLeaf)
  const roots = climb(crypto, [claim.leafHash, ...proof], siblings, index + 1)
  return roots !== undefined && equalBytes(roots.to, claim.root)
}

/** Whether all of `proof`, and nothing less, proves the claim. Never throws. */
export function verifyConsistency(crypto: Crypto, claim: Consistency, proof: Proof): boolean {
  const { from, to, fromRoot, toRoot } = claim
  if (!isSize(from) || !isSize(to) || from > to) return false
  if (from === 0) return proof.length === 0 && equalBytes(fromRoot, emptyRoot(crypto))
  const { end, siblings } = descend(from - 1, to, endsAt(from))
  const roots = climb(crypto, end.lo === 0 ? [fromRoot, ...proof] : proof, siblings, from)
  return roots !== undefined && equalBytes(roots.from, fromRoot) && equalBytes(roots.to, toRoot)
}

/** The leaves of a subtree: `lo` inclusive, `hi` exclusive. */
interface Span {
  readonly lo: number
  readonly hi: number
}

const isLeaf = ({ lo, hi }: Span) => hi - lo === 1
const endsAt = (size: number) => (span: Span) => span.hi === size

/** The way from the root towards leaf `index` as far as `arrived`; the siblings passed, lowest first. */
function descend(index: number, size: number, arrived: (span: Span) => boolean) {
  let end: Span = { lo: 0, hi: size }
  const siblings: Span[] = []
  while (!arrived(end)) {
    const mid = end.lo + 2 ** levelWithin(end.hi - end.lo - 1)
    const left = { lo: end.lo, hi: mid }
    const right = { lo: mid, hi: end.hi }
    siblings.unshift(index < mid ? right : left)
    end = index < mid ? left : right
  }
  return { end, siblings }
}

/**
 * The way back up, from the hash of a subtree that ends before leaf `from`: the root of the tree of
 * `from` leaves, which has no right siblings, and of the whole. Undefined when a hash is missing, too
 * many or not one.
 */
function climb(crypto: Crypto, hashes: Proof, siblings: readonly Span[], from: number) {
  const [first, ...rest] = hashes
  if (first?.length !== 32 || rest.length !== siblings.length) return undefined
  const roots = { from: first, to: first }
  for (const [i, sibling] of siblings.entries()) {
    const hash = rest[i]
    if (hash?.length !== 32) return undefined
    if (sibling.lo >= from) {
      roots.to = nodeHash(crypto, roots.to, hash)
    } else {
      roots.from = nodeHash(crypto, hash, roots.from)
      roots.to = nodeHash(crypto, hash, roots.to)
    }
  }
  return roots
}

/** The hash over a span; only the one at the right edge of a tree is not a complete subtree. */
function rootOf(crypto: Crypto, { lo, hi }: Span, hashOf: HashOf): Uint8Array {
  const level = levelWithin(hi - lo)
  const mid = lo + 2 ** level
  if (mid === hi) return hashOf(level, lo / 2 ** level)
  return nodeHash(
    crypto,
    rootOf(crypto, { lo, hi: mid }, hashOf),
    rootOf(crypto, { lo: mid, hi }, hashOf),
  )
}

/** The level of the largest complete subtree within `leaves` ≥ 1. */
function levelWithin(leaves: number): number {
  return leaves.toString(2).length - 1
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
