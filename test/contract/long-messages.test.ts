import { createHash } from 'node:crypto'
import { nobleCrypto } from '@helm-ai-kernel/core'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import {
  sha256Sliced,
  verifySignatureLater,
  verifySignatureSliced,
} from '../../packages/core/src/crypto/sliced.ts'
import { createTurns } from '../../packages/core/src/kernel/turns.ts'
import { fakeClock } from '../support/clock.ts'
import {
  identityR,
  type Made,
  torsionInA,
  torsionInR,
  unreducedKeys,
  unreducedS,
} from '../support/made-signatures.ts'

const seed = new Uint8Array(32).fill(7)
/** Long enough to be hashed in slices. */
const message = Uint8Array.from({ length: 1_600_000 }, (_, i) => (i * 31) & 255)
const turns = createTurns(fakeClock())
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

const honest = ((): Made => {
  const signer = nodeCrypto.signer(seed)
  return { publicKey: signer.publicKey, signature: signer.sign(message), message }
})()
const weak = hex('0100000000000000000000000000000000000000000000000000000000000000')
const [unreduced = weak] = unreducedKeys()
const flipped = honest.signature.map((byte, i) => (i === 3 ? byte ^ 1 : byte))

const cases: readonly (readonly [string, Made])[] = [
  ['an honest signature', honest],
  ['one with a bit turned', { ...honest, signature: flipped }],
  ['one that is cut off', { ...honest, signature: honest.signature.subarray(1) }],
  ['one of another message', { ...honest, message: message.subarray(1) }],
  ['one with S + L', unreducedS(honest)],
  ['one with a point of order 8 in R', torsionInR(seed, message)],
  ...[0, 1, 2, 3].map(
    (i) =>
      [
        `one under a key with a point of order 8 in it, ${i}`,
        torsionInA(seed, message.subarray(i)),
      ] as const,
  ),
  ['one whose R is the identity', identityR(seed, message, weak)],
  ['one under a key of small order', { ...honest, publicKey: weak }],
  ['one under a key that is not reduced', { ...honest, publicKey: unreduced }],
]

describe.each([
  ['noble', nobleCrypto],
  ['node', nodeCrypto],
])('a long message, by %s', (_, crypto) => {
  it('has the same hash in slices', async () => {
    const expected = createHash('sha256').update(message).digest('hex')
    const hash = await turns(sha256Sliced(crypto, message))
    expect(Buffer.from(hash).toString('hex')).toBe(expected)
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const hasher = crypto.hasher(algorithm)
      for (const piece of [message.subarray(0, 1), message.subarray(1)]) hasher.update(piece)
      const whole = createHash(algorithm).update(message).digest('hex')
      expect(Buffer.from(hasher.digest()).toString('hex')).toBe(whole)
    }
  })

  it.each(cases)(
    'verifies %s alike: at once, in slices, and beside the event loop',
    async (__, made) => {
      const { publicKey, signature } = made
      const atOnce = nobleCrypto.verify(publicKey, signature, made.message)
      const given = [crypto, publicKey, signature, made.message] as const
      expect({
        own: crypto.verify(publicKey, signature, made.message),
        sliced: await turns(verifySignatureSliced(...given)),
        later: await turns(verifySignatureLater(...given)),
      }).toEqual({ own: atOnce, sliced: atOnce, later: atOnce })
      if (made === honest) expect(atOnce).toBe(true)
    },
  )
})
