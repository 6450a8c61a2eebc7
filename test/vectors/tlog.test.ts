import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../packages/core/src/bytes/base64.ts'
import { encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  type Checkpoint,
  consistencyProof,
  createRange,
  formatVerifierKey,
  leafHash,
  openCheckpoint,
  parseCheckpoint,
  parseVerifierKey,
  verifyConsistency,
} from '../../packages/core/src/log/index.ts'
import { hashesOf } from '../support/tree.ts'
import { haveVectors, noVectors, vectorText } from '../support/vectors.ts'

interface Tessera {
  readonly origin: string
  readonly vkey: string
  readonly leaves_utf8: readonly string[]
  readonly checkpoints: Readonly<Record<string, string>>
}

interface ParseCase {
  readonly desc: string
  readonly checkpoint: string
  readonly origin: string
  readonly size: number
  readonly hash_b64: string
  readonly wantErr: boolean
}

if (!haveVectors) console.log(noVectors)

describe.skipIf(!haveVectors)('a log that Tessera signed', () => {
  it('has 16 checkpoints, of sizes 0 to 15, and its own verifier key', () => {
    const { vkey, heads } = tessera()
    expect(heads.map(({ size }) => size)).toEqual([...Array(16).keys()])
    expect(formatVerifierKey(parseVerifierKey(vkey, crypto), crypto)).toBe(vkey)
  })

  it('has our root at each size', () => {
    const { leaves, heads } = tessera()
    const range = createRange(crypto)
    const roots = [range.root()]
    for (const leaf of leaves) {
      range.append(leaf)
      roots.push(range.root())
    }
    expect(heads.map(({ root }) => root)).toEqual(roots)
  })

  it('is consistent from each size to each larger one', () => {
    const { leaves, heads } = tessera()
    const pairs = heads.flatMap((from) => heads.slice(from.size + 1).map((to) => ({ from, to })))
    expect(pairs).toHaveLength(120)
    for (const { from, to } of pairs) {
      const proof = consistencyProof(crypto, from.size, to.size, hashesOf(leaves))
      const claim = { from: from.size, to: to.size, fromRoot: from.root, toRoot: to.root }
      expect(verifyConsistency(crypto, claim, proof)).toBe(true)
    }
  })
})

describe.skipIf(!haveVectors)('checkpoint texts of transparency-dev/formats', () => {
  const root = new Uint8Array(32).fill(1)
  // Theirs may have roots of any length and empty extension lines; C2SP tlog-checkpoint has roots of
  // SHA-256 alone and no empty line.
  const emptyLines = 'valid with trailing newlines'
  const cases = () => (read('tlog/checkpoint_parse.json') as { cases: ParseCase[] }).cases

  it('are refused where they are refused there', () => {
    const refused = cases().filter(({ wantErr }) => wantErr)
    expect(refused).toHaveLength(7)
    for (const { desc, checkpoint } of refused) {
      expect(() => parseCheckpoint(checkpoint), desc).toThrow()
    }
  })

  it('are taken where they are taken there, with a root of 32 bytes and no empty line', () => {
    const taken = cases().filter(({ wantErr }) => !wantErr)
    expect(taken).toHaveLength(5)
    for (const { desc, checkpoint, origin, size, hash_b64 } of taken) {
      const text = checkpoint.replace(hash_b64, encodeBase64(root))
      expect(() => parseCheckpoint(checkpoint), desc).toThrow()
      if (desc === emptyLines) expect(() => parseCheckpoint(text), desc).toThrow()
      else expect(parseCheckpoint(text), desc).toEqual({ origin, size, root })
    }
  })
})

function tessera(): { vkey: string; leaves: Uint8Array[]; heads: Checkpoint[] } {
  const { origin, vkey, leaves_utf8, checkpoints } = read(
    'tlog/tessera_signed_checkpoints.json',
  ) as Tessera
  const { publicKey } = parseVerifierKey(vkey, crypto)
  const heads = Object.values(checkpoints).map((note) =>
    openCheckpoint(encodeUtf8(note), { origin, publicKey }, crypto),
  )
  return { vkey, leaves: leaves_utf8.map((text) => leafHash(crypto, encodeUtf8(text))), heads }
}

function read(path: string): unknown {
  return JSON.parse(vectorText(path))
}
