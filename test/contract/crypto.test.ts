import { createHash } from 'node:crypto'
import { verify as cofactoredVerify } from '@noble/ed25519'
import { describe, expect, it } from 'vitest'
import { decodeHex, encodeHex } from '../../packages/core/src/bytes/hex.ts'
import { checkPublicKey, nobleCrypto } from '../../packages/core/src/crypto/noble.ts'
import { parsePublicKey } from '../../packages/core/src/crypto/public-key.ts'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import {
  type Made,
  identityR,
  torsionInA,
  torsionInR,
  unreducedKeys,
  unreducedS,
} from '../support/made-signatures.ts'
import { haveVectors, noVectors, vectorText } from '../support/vectors.ts'

const providers = { noble: nobleCrypto, node: nodeCrypto }
const seed = new Uint8Array(32).fill(7)
const message = Uint8Array.of(1, 2, 3)
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

/** The points of order 1, 2, 4 and 8, in every encoding that some decoder takes. */
const lowOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]
const identity = lowOrder.filter((text) => /^(01|ee)/.test(text))

if (!haveVectors) console.log(noVectors)

describe.each(Object.entries(providers))('Crypto of %s', (_, crypto) => {
  const verifies = (made: Made) => crypto.verify(made.publicKey, made.signature, made.message)
  const signed = (): Made => {
    const signer = crypto.signer(seed)
    return { publicKey: signer.publicKey, signature: signer.sign(message), message }
  }

  it('hashes as FIPS 180-4 says', () => {
    expect(encodeHex(crypto.sha256(new Uint8Array(0)))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
    for (const length of [1, 55, 56, 64, 65, 1000, 100_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) & 255)
      const expected = createHash('sha256').update(bytes).digest('hex')
      expect(encodeHex(crypto.sha256(bytes))).toBe(expected)
    }
  })

  it('signs as RFC 8032 section 7.1 says', () => {
    const signer = crypto.signer(
      hex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'),
    )
    expect(encodeHex(signer.publicKey)).toBe(
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    )
    expect(encodeHex(signer.sign(hex('af82')))).toBe(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
        '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    )
  })

  it('verifies what every provider signs, and they all sign alike', () => {
    const { keyId } = crypto.signer(seed)
    const { publicKey, signature } = signed()
    for (const other of Object.values(providers)) {
      const signer = other.signer(seed)
      expect(signer.keyId).toBe(keyId)
      expect(signer.publicKey).toEqual(publicKey)
      expect(signer.sign(message)).toEqual(signature)
      expect(other.verify(publicKey, signature, message)).toBe(true)
    }
  })

  it('gives plain bytes, whose slice is a copy', () => {
    const { publicKey, signature } = signed()
    for (const bytes of [crypto.sha256(message), publicKey, signature]) {
      expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
    }
  })

  it('keeps the seed it was given, whatever becomes of the array', () => {
    const mine = Uint8Array.from(seed)
    const signer = crypto.signer(mine)
    mine.fill(0)
    expect(signer.sign(message)).toEqual(signed().signature)
  })

  it.each([0, 31, 33, 64])('refuses a seed of %i bytes', (length) => {
    expect(() => crypto.signer(new Uint8Array(length))).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID' }),
    )
  })

  it.skipIf(!haveVectors)('agrees with every case of Wycheproof', () => {
    const groups = wycheproof().map(({ publicKey, tests }) => ({ key: hex(publicKey.pk), tests }))
    const cases = groups.flatMap(({ key, tests }) => tests.map((test) => ({ ...test, key })))
    const wrong = cases.filter(
      ({ key, sig, msg, result }) =>
        crypto.verify(key, hex(sig), hex(msg)) !== (result === 'valid'),
    )
    expect(cases).toHaveLength(151)
    expect(wrong).toEqual([])
  })

  it('is cofactorless: a point of order 8 hidden in R is refused', () => {
    const made = torsionInR(seed, message)
    expect(cofactoredVerify(made.signature, made.message, made.publicKey)).toBe(true)
    expect(verifies(made)).toBe(false)
  })

  it('is cofactorless with the reduced k: a point of order 8 in A shows unless 8 divides k', () => {
    const made = Array.from({ length: 48 }, (_, i) => torsionInA(seed, Uint8Array.of(i)))
    expect(made.map(verifies)).toEqual(made.map(({ holds }) => holds))
    expect(made.some(({ holds }) => holds)).toBe(true)
  })

  it('refuses S that is not below L', () => {
    expect(verifies(signed())).toBe(true)
    expect(verifies(unreducedS(signed()))).toBe(false)
  })

  it('takes R in its canonical encoding alone', () => {
    expect(identity.map((R) => verifies(identityR(seed, message, hex(R))))).toEqual([
      true,
      false,
      false,
      false,
    ])
  })

  it.each(lowOrder)('refuses every signature under the weak key %s', (key) => {
    const signature = hex(`01${'00'.repeat(63)}`)
    // Where weak keys are taken, this signature holds for at least one message in eight.
    for (let i = 0; i < 64; i++) {
      expect(crypto.verify(hex(key), signature, Uint8Array.of(i))).toBe(false)
    }
  })

  it('refuses any change of one bit', () => {
    const { publicKey, signature } = signed()
    for (let bit = 0; bit < 512; bit += 5) {
      const changed = signature.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      expect(crypto.verify(publicKey, changed, message)).toBe(false)
    }
    expect(crypto.verify(publicKey, signature, Uint8Array.of(1, 2, 2))).toBe(false)
  })

  it('answers false, never an error, to keys and signatures of another length', () => {
    const { publicKey, signature } = signed()
    for (const length of [0, 31, 33, 64]) {
      expect(crypto.verify(new Uint8Array(length), signature, message)).toBe(false)
    }
    for (const wrong of [new Uint8Array(0), signature.slice(1), Uint8Array.of(...signature, 0)]) {
      expect(crypto.verify(publicKey, wrong, message)).toBe(false)
    }
  })

  it('verifies under more keys than it may remember', () => {
    const signers = Array.from({ length: 300 }, (_, i) =>
      nodeCrypto.signer(Uint8Array.of(i >> 8, i & 255, ...seed.subarray(2))),
    )
    for (const signer of [...signers, ...signers.slice(0, 3)]) {
      expect(crypto.verify(signer.publicKey, signer.sign(message), message)).toBe(true)
    }
  })
})

describe('a public key that is loaded', () => {
  const { publicKey } = nobleCrypto.signer(seed)

  it('is 64 hex digits, either case', () => {
    expect(parsePublicKey(encodeHex(publicKey), 'trust key')).toEqual(publicKey)
    expect(parsePublicKey(encodeHex(publicKey).toUpperCase(), 'trust key')).toEqual(publicKey)
  })

  it.each(['', 'zz'.repeat(32), 'ab'.repeat(31), ` ${'ab'.repeat(32)}`])(
    'is not %j, and the message says so',
    (text) => {
      expect(() => parsePublicKey(text, 'trust key')).toThrow('trust key must be 64 hex digits')
    },
  )

  it.each(lowOrder)('is not the weak %s', (text) => {
    expect(() => parsePublicKey(text, 'trust key')).toThrow(
      expect.objectContaining({
        code: 'KEY_INVALID',
        message: expect.stringContaining(`trust key ${text} is of small order`) as string,
      }),
    )
  })

  it('is not a second spelling of another', () => {
    const reasons = unreducedKeys().map(checkPublicKey)
    expect(reasons).toHaveLength(38)
    expect(reasons).not.toContain('ok')
    expect(reasons).toContain('not canonically encoded')
  })

  it('is not off the curve', () => {
    expect(checkPublicKey(decodeHex(`02${'00'.repeat(31)}`, 32, 'key'))).toBe(
      'not a point of the curve',
    )
  })
})

interface WycheproofGroup {
  readonly publicKey: { readonly pk: string }
  readonly tests: readonly {
    readonly tcId: number
    readonly msg: string
    readonly sig: string
    readonly result: 'valid' | 'invalid'
  }[]
}

function wycheproof(): readonly WycheproofGroup[] {
  const file = vectorText('ed25519/wycheproof_ed25519_test.json')
  return (JSON.parse(file) as { testGroups: WycheproofGroup[] }).testGroups
}
