import { describe, expect, it } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  cosignerOf,
  heldHead,
  type Offer,
  openNote,
  signCheckpoint,
  type TileReader,
  witness,
  type Witness,
} from '../../packages/core/src/log/index.ts'
import { leafHashes, naiveRoot, tilesOf } from '../support/tree.ts'

const signerOf = (n: number) => crypto.signer(new Uint8Array(32).fill(n))
const [log, newLog, own, stranger] = [1, 2, 3, 4].map(signerOf) as [Signer, Signer, Signer, Signer]
type Signer = ReturnType<typeof signerOf>

const origin = 'kernel.example/log'
const self: Witness = {
  crypto,
  signer: own,
  name: 'witness.example/w1',
  origin,
  logKeys: [log.publicKey],
}
const cosigner = cosignerOf(self)
const leaves = leafHashes(600)
const rewritten = leaves.with(10, leafHashes(601).at(-1) ?? expect.unreachable())
const tiles = tilesOf(leaves)
const time = 1_790_000_000

const headOf = (size: number, of = leaves, by = log, name = origin) =>
  signCheckpoint({ origin: name, size, root: naiveRoot(of.slice(0, size)) }, by, crypto)
const offer = (next: Uint8Array, last?: Uint8Array, from: TileReader = tiles): Offer => ({
  last,
  next,
  tiles: from,
  time,
})
const cosigned = async (size: number) => (await witness(self, offer(headOf(size)))).note
const refusal = (code: string): unknown => expect.objectContaining({ code })

describe('a witness', () => {
  it('takes the first head on trust, and cosigns it', async () => {
    const { note, checkpoint, since } = await witness(self, offer(headOf(300)))
    expect({ size: checkpoint.size, since }).toEqual({ size: 300, since: undefined })
    expect(decodeUtf8(note).startsWith(decodeUtf8(headOf(300)))).toBe(true)
    const verifiers = [{ name: origin, publicKey: log.publicKey }, cosigner]
    const [ofLog, ofWitness] = openNote(note, verifiers, crypto).verified
    expect(ofLog).toEqual(verifiers[0])
    expect(ofWitness).toEqual({ ...cosigner, time })
  })

  it('cosigns whatever is proved to continue what it has seen', async () => {
    for (const [from, to] of [
      [0, 1],
      [0, 600],
      [1, 256],
      [255, 257],
      [256, 512],
      [300, 301],
      [599, 600],
    ] as const) {
      const { checkpoint, since } = await witness(self, offer(headOf(to), await cosigned(from)))
      expect([since?.size, checkpoint.size]).toEqual([from, to])
    }
  })

  it('goes on from a checkpoint that somebody kept, with the log’s signature alone', async () => {
    const { since } = await witness(self, offer(headOf(301), headOf(300)))
    expect(since?.size).toBe(300)
  })

  it('says again, later, that the same head is the newest', async () => {
    const last = await cosigned(300)
    const later = { ...offer(last, last), time: time + 60 }
    const { note } = await witness(self, later)
    expect(openNote(note, [cosigner], crypto).verified).toEqual([{ ...cosigner, time: time + 60 }])
    expect(decodeUtf8(note).match(/^— /gm)).toHaveLength(2)
  })

  it('leaves out what others signed, of which it knows nothing', async () => {
    const others = encodeUtf8(`${decodeUtf8(headOf(5))}${'— some/one AAAAAAA=\n'.repeat(15)}`)
    const { note } = await witness(self, offer(others))
    expect(decodeUtf8(note)).not.toContain('some/one')
  })

  it('follows a change of the log’s key once it was given the new one', async () => {
    const last = await cosigned(300)
    const next = headOf(301, leaves, newLog)
    await expect(witness(self, offer(next, last))).rejects.toThrow(refusal('KEY_UNTRUSTED'))
    const both = { ...self, logKeys: [log.publicKey, newLog.publicKey] }
    expect((await witness(both, offer(next, last))).since?.size).toBe(300)
    // What it cosigned itself it knows also when the old key is not given any more.
    const after = { ...self, logKeys: [newLog.publicKey] }
    expect((await witness(after, offer(next, last))).since?.size).toBe(300)
  })
})

describe('a witness refuses', () => {
  const refused: readonly (readonly [string, string, Uint8Array, TileReader])[] = [
    ['a smaller log', 'LOG_ROLLED_BACK', headOf(299), tiles],
    ['an empty log', 'LOG_ROLLED_BACK', headOf(0), tiles],
    ['another log of the same size', 'LOG_EQUIVOCATED', headOf(300, rewritten), tiles],
    ['a larger log with another past', 'LOG_FORKED', headOf(600, rewritten), tilesOf(rewritten)],
    ['another past, behind the old tiles', 'LOG_FORKED', headOf(600, rewritten), tiles],
    ['the log of another', 'LOG_FOREIGN', headOf(301, leaves, log, 'other.example/log'), tiles],
    ['a head that a stranger signed', 'KEY_UNTRUSTED', headOf(301, leaves, stranger), tiles],
    ['no note', 'CHECKPOINT_INVALID', encodeUtf8('hello\n'), tiles],
    ['tiles that are not there', 'PROOF_INVALID', headOf(600), { tile: async () => undefined }],
  ]

  it.each(refused)('%s: %s', async (_, code, next, from) => {
    await expect(witness(self, offer(next, await cosigned(300), from))).rejects.toThrow(
      refusal(code),
    )
  })

  it('a head with one bit changed, wherever', async () => {
    const [next, last] = [headOf(301), await cosigned(300)]
    for (let i = 0; i < next.length; i++) {
      const changed = next.with(i, (next[i] ?? 0) ^ 1)
      await expect(witness(self, offer(changed, last))).rejects.toThrow()
    }
  })

  it('to go on from a head that neither it nor the log signed', async () => {
    const forged = headOf(300, rewritten, stranger)
    expect(() => heldHead(self, forged)).toThrow(refusal('KEY_UNTRUSTED'))
    await expect(witness(self, offer(headOf(301), forged))).rejects.toThrow(
      refusal('KEY_UNTRUSTED'),
    )
    const ofOther = { ...self, name: 'witness.example/w2', logKeys: [newLog.publicKey] }
    const last = await cosigned(300)
    expect(() => heldHead(ofOther, last)).toThrow(refusal('KEY_UNTRUSTED'))
  })

  it('to witness with a key of the log', async () => {
    const judge = { ...self, signer: log }
    await expect(witness(judge, offer(headOf(1)))).rejects.toThrow(refusal('KEY_INVALID'))
  })

  it('a name that no signature line can have', async () => {
    for (const name of ['', 'a b', 'a+b']) {
      await expect(witness({ ...self, name }, offer(headOf(1)))).rejects.toThrow(
        refusal('CHECKPOINT_INVALID'),
      )
    }
  })
})
