import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  consistencyProof,
  createRange,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from '../../packages/core/src/log/index.ts'
import { hashesOf, leafHashes, naiveRoot } from '../support/tree.ts'

const most = 300
const small = 36
const leaves = leafHashes(most)
const hashOf = hashesOf(leaves)
const roots = leaves.map((_, i) => naiveRoot(leaves.slice(0, i))).concat(naiveRoot(leaves))
const rootAt = (size: number) => roots[size] ?? expect.unreachable()
const leafAt = (index: number) => leaves[index] ?? expect.unreachable()

const include = (index: number, size: number) => ({
  claim: { leafHash: leafAt(index), index, size, root: rootAt(size) },
  proof: inclusionProof(crypto, index, size, hashOf),
})
const extend = (from: number, to: number) => ({
  claim: { from, to, fromRoot: rootAt(from), toRoot: rootAt(to) },
  proof: consistencyProof(crypto, from, to, hashOf),
})

const sizes = fc.integer({ min: 1, max: most })
const inclusions = sizes.chain((size) =>
  fc.integer({ min: 0, max: size - 1 }).map((index) => include(index, size)),
)
const extensions = sizes.chain((to) =>
  fc.integer({ min: 0, max: to }).map((from) => extend(from, to)),
)

/** `proof` with one thing wrong in it, in every way there is. */
function spoilt(proof: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const flip = (hash: Uint8Array, i: number) => hash.with(i, (hash[i] ?? 0) ^ 1)
  return [
    [...proof, rootAt(1)],
    [rootAt(1), ...proof],
    ...proof.flatMap((hash, i) => [
      proof.toSpliced(i, 1),
      proof.toSpliced(i, 0, hash),
      proof.with(i, flip(hash, 0)),
      proof.with(i, flip(hash, 31)),
      proof.with(i, hash.subarray(1)),
      proof.with(i, Uint8Array.of(...hash, 0)),
    ]),
    ...proof.slice(1).map((hash, i) => proof.with(i, hash).with(i + 1, proof[i] ?? hash)),
  ]
}

describe('the compact range', () => {
  it('has the root of the recursive definition at every size', () => {
    const range = createRange(crypto)
    expect(range.root()).toEqual(rootAt(0))
    for (const [i, leaf] of leaves.entries()) {
      range.append(leaf)
      expect(range.size).toBe(i + 1)
      expect(range.root()).toEqual(rootAt(i + 1))
    }
  })

  it('goes on from its size and hashes as if it had never stopped', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: most }), (stop) => {
        const first = createRange(crypto)
        for (const leaf of leaves.slice(0, stop)) first.append(leaf)
        const second = createRange(crypto, { size: first.size, hashes: first.hashes() })
        for (const leaf of leaves.slice(stop)) second.append(leaf)
        expect(second.root()).toEqual(rootAt(most))
        expect(first.root()).toEqual(rootAt(stop))
      }),
    )
  })
})

describe('inclusion', () => {
  it('is proved for every leaf of every small tree', () => {
    for (let size = 1; size <= 70; size++) {
      for (let index = 0; index < size; index++) {
        const { claim, proof } = include(index, size)
        expect(verifyInclusion(crypto, claim, proof)).toBe(true)
      }
    }
  })

  it('is not proved when anything in proof or claim is other', () => {
    fc.assert(
      fc.property(inclusions, fc.integer({ min: 0, max: most }), ({ claim, proof }, other) => {
        expect(verifyInclusion(crypto, claim, proof)).toBe(true)
        for (const wrong of spoilt(proof)) {
          expect(verifyInclusion(crypto, claim, wrong)).toBe(false)
        }
        if (other !== claim.index) {
          expect(verifyInclusion(crypto, { ...claim, index: other }, proof)).toBe(false)
        }
        if (other !== claim.size) {
          expect(verifyInclusion(crypto, { ...claim, root: rootAt(other) }, proof)).toBe(false)
          const there = { ...claim, size: other, root: rootAt(other) }
          expect(verifyInclusion(crypto, there, proof)).toBe(false)
        }
        expect(verifyInclusion(crypto, { ...claim, leafHash: rootAt(0) }, proof)).toBe(false)
      }),
    )
  })

  it('of one leaf is not proved by the proof of another', () => {
    for (let size = 1; size <= small; size++) {
      for (let index = 0; index < size; index++) {
        const { claim, proof } = include(index, size)
        for (let other = 0; other < size; other++) {
          expect(verifyInclusion(crypto, { ...claim, index: other }, proof)).toBe(other === index)
        }
      }
    }
  })
})

describe('consistency', () => {
  it('is proved for every beginning of every small tree', () => {
    for (let to = 0; to <= 70; to++) {
      for (let from = 0; from <= to; from++) {
        const { claim, proof } = extend(from, to)
        expect(verifyConsistency(crypto, claim, proof)).toBe(true)
      }
    }
  })

  it('is not proved when anything in proof or claim is other', () => {
    fc.assert(
      fc.property(extensions, fc.integer({ min: 0, max: most }), ({ claim, proof }, other) => {
        expect(verifyConsistency(crypto, claim, proof)).toBe(true)
        for (const wrong of spoilt(proof)) {
          expect(verifyConsistency(crypto, claim, wrong)).toBe(false)
        }
        if (other !== claim.from) {
          expect(verifyConsistency(crypto, { ...claim, fromRoot: rootAt(other) }, proof)).toBe(
            false,
          )
        }
        if (other !== claim.to && claim.from > 0) {
          expect(verifyConsistency(crypto, { ...claim, toRoot: rootAt(other) }, proof)).toBe(false)
        }
      }),
    )
  })

  it('of a rewritten log is never proved', () => {
    fc.assert(
      fc.property(sizes, sizes, fc.nat(), (a, b, at) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)]
        const rewritten = leaves.slice(0, to).with(at % from, rootAt(0))
        const proof = consistencyProof(crypto, from, to, hashesOf(rewritten))
        const claim = { from, to, fromRoot: rootAt(from), toRoot: naiveRoot(rewritten) }
        expect(verifyConsistency(crypto, claim, proof)).toBe(false)
      }),
    )
  })
})
