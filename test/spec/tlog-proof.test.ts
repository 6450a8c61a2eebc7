import { describe, expect, it } from 'vitest'
import { nobleCrypto as crypto } from '@helm-ai-kernel/core'
import {
  formatProof,
  leafHash,
  openCheckpoint,
  parseProof,
  proveInclusion,
  type TlogProof,
  verifyInclusion,
} from '@helm-ai-kernel/core/log'
import { checkpointOf, signerOf } from '../support/log-entries.ts'
import { tilesOf } from '../support/tree.ts'

const key = signerOf(1)
const origin = 'log.example/proofs'
const entries = Array.from({ length: 300 }, (_, i) => Uint8Array.of(i >> 8, i & 255))
const leaves = entries.map((entry) => leafHash(crypto, entry))
const checkpoint = checkpointOf(entries, key, origin)
const hash = (byte: number) => new Uint8Array(32).fill(byte)
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const bytes = (proof: string) => new Uint8Array(Buffer.from(proof))

const proofOf = async (index: number): Promise<TlogProof> => ({
  index,
  hashes: await proveInclusion(crypto, tilesOf(leaves), index, entries.length),
  checkpoint,
})

const good = text(formatProof(await proofOf(7))).split('\n')

describe('a tlog-proof', () => {
  it('has the lines that C2SP tlog-proof says', () => {
    const note = bytes('example.com/log\n7\nAAAA\n\n— example.com/log AAAA\n')
    const proof = { index: 5, hashes: [hash(1), hash(2)], checkpoint: note }
    expect(text(formatProof(proof)).split('\n')).toEqual([
      'c2sp.org/tlog-proof@v1',
      'index 5',
      'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=',
      'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=',
      '',
      'example.com/log',
      '7',
      'AAAA',
      '',
      '— example.com/log AAAA',
      '',
    ])
    const extra = formatProof({ ...proof, hashes: [], extra: bytes('hi') })
    expect(text(extra)).toBe(`c2sp.org/tlog-proof@v1\nextra aGk=\nindex 5\n\n${text(note)}`)
  })

  it('is enough to know that an entry is in the log', async () => {
    for (const index of [0, 1, 255, 256, 299]) {
      const proof = parseProof(formatProof(await proofOf(index)))
      expect(proof).toEqual(await proofOf(index))
      const log = { origin, publicKey: key.log.publicKey }
      const { size, root } = openCheckpoint(proof.checkpoint, log, crypto)
      const claim = { leafHash: leaves[index] ?? hash(0), index: proof.index, size, root }
      expect(verifyInclusion(crypto, claim, proof.hashes)).toBe(true)
      expect(verifyInclusion(crypto, { ...claim, leafHash: hash(0) }, proof.hashes)).toBe(false)
    }
  })

  it('carries what is extra, which is nothing when it is empty', () => {
    const proof = { index: 0, hashes: [], checkpoint }
    expect(parseProof(formatProof({ ...proof, extra: hash(3) }))).toEqual({
      ...proof,
      extra: hash(3),
    })
    expect(parseProof(formatProof({ ...proof, extra: new Uint8Array() }))).toEqual(proof)
  })

  const changed = (line: number, to: string) => good.with(line, to).join('\n')

  it.each([
    ['another version', changed(0, 'c2sp.org/tlog-proof@v2')],
    ['an index with a leading zero', changed(1, 'index 07')],
    ['an index below zero', changed(1, 'index -7')],
    ['an index with a plus', changed(1, 'index +7')],
    ['an index beyond 2^53', changed(1, 'index 9007199254740992')],
    ['an index of 20 digits', changed(1, 'index 18446744073709551616')],
    ['no index', good.toSpliced(1, 1).join('\n')],
    ['two spaces', changed(1, 'index  7')],
    ['extra that is empty', changed(0, `${good[0]}\nextra `)],
    ['extra after the index', changed(1, `${good[1]}\nextra aGk=`)],
    ['extra twice', changed(0, `${good[0]}\nextra aGk=\nextra aGk=`)],
    ['a hash that is too short', changed(2, 'AQEB')],
    ['a hash in base64url', changed(2, `${'_'.repeat(43)}=`)],
    ['54 hashes', changed(2, Array.from({ length: 54 }, () => good[2]).join('\n'))],
    ['carriage returns', good.join('\r\n')],
    ['a space at the end of a line', changed(2, `${good[2]} `)],
    ['no checkpoint', `${good.slice(0, 11).join('\n')}\n\n`],
    ['a byte order mark', `\ufeff${good.join('\n')}`],
    ['nothing', ''],
  ])('with %s is refused', (_, proof) => {
    expect(() => parseProof(bytes(proof))).toThrow(
      expect.objectContaining({ code: 'PROOF_INVALID' }),
    )
  })

  it.each([
    ['a hash with bits beyond its last byte', bytes(changed(2, `${'A'.repeat(42)}B=`))],
    ['extra with bits beyond its last byte', bytes(changed(0, `${good[0]}\nextra aGl=`))],
    ['extra without its padding', bytes(changed(0, `${good[0]}\nextra aGk`))],
    ['bytes that are no text', Uint8Array.of(...bytes(good.join('\n')), 0xff)],
  ])('with %s is refused', (_, proof) => {
    expect(() => parseProof(proof)).toThrow(expect.objectContaining({ code: 'BYTES_INVALID' }))
  })

  it('is at most 256 KiB', () => {
    expect(() => parseProof(new Uint8Array(256 * 1024 + 1))).toThrow('at most')
  })
})
