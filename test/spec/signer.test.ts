import { createHmac, hkdfSync } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../packages/core/src/bytes/hex.ts'
import { hmacSha256 } from '../../packages/core/src/crypto/hmac.ts'
import { hkdfSha256, nobleCrypto } from '../../packages/core/src/crypto/noble.ts'
import { parseSeed } from '../../packages/core/src/crypto/seed.ts'
import { signer } from '../../packages/core/src/crypto/signer.ts'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'

const seed = Uint8Array.from({ length: 32 }, (_, i) => i + 100)
const requestId = new Uint8Array(16).fill(9)
const derive = (info: string) => new Uint8Array(hkdfSync('sha256', seed, '', info, 32))

describe('the signer of a seed', () => {
  it('signs receipts with the key of the seed itself', () => {
    const { keyId, publicKey } = nobleCrypto.signer(seed)
    expect(signer(seed)).toMatchObject({ keyId, publicKey })
  })

  it('signs the log with a key derived from it', () => {
    const { keyId, publicKey } = nobleCrypto.signer(derive('helm-ai-kernel/log/v1'))
    const { log } = signer(seed)
    expect(log).toMatchObject({ keyId, publicKey })
    expect(log.keyId).not.toBe(signer(seed).keyId)
  })

  it('salts a request with 16 bytes of HMAC under a key derived from it', () => {
    const hmac = createHmac('sha256', derive('helm-ai-kernel/salt/v1')).update(requestId).digest()
    const salt = signer(seed).salt(requestId)
    expect(encodeHex(salt)).toBe(hmac.toString('hex').slice(0, 32))
    expect(signer(seed).salt(requestId)).toEqual(salt)
    expect(signer(seed).salt(new Uint8Array(16))).not.toEqual(salt)
  })

  it('is the same on every Crypto', () => {
    const [a, b] = [signer(seed, nobleCrypto), signer(seed, nodeCrypto)]
    expect([a.keyId, a.log.keyId, a.salt(requestId), a.log.sign(requestId)]).toEqual([
      b.keyId,
      b.log.keyId,
      b.salt(requestId),
      b.log.sign(requestId),
    ])
  })

  it('shows nobody its seed', () => {
    const secret = [encodeHex(seed), [...seed].join(','), [...seed].join(', ')]
    for (const crypto of [nobleCrypto, nodeCrypto]) {
      const kernel = signer(seed, crypto)
      const shown = [
        JSON.stringify(kernel),
        inspect(kernel, { depth: 10, showHidden: true }),
        kernel.sign.toString(),
      ]
      for (const text of shown) for (const form of secret) expect(text).not.toContain(form)
    }
  })

  it('is frozen', () => {
    expect(Object.isFrozen(signer(seed))).toBe(true)
    expect(Object.isFrozen(signer(seed).log)).toBe(true)
  })
})

describe('a seed', () => {
  it('is 64 hex digits, either case', () => {
    expect(parseSeed(encodeHex(seed), 'seed')).toEqual(seed)
    expect(parseSeed(encodeHex(seed).toUpperCase(), 'seed')).toEqual(seed)
  })

  it('is never in the message that refuses it', () => {
    expect(() => parseSeed('secret', 'HELM_SIGNING_SEED')).toThrow(
      /^HELM_SIGNING_SEED must be 64 hex digits$/,
    )
  })
})

describe('the functions below the signer', () => {
  it('HMAC-SHA256 is that of RFC 2104 for keys of up to a block', () => {
    for (const length of [0, 1, 32, 63, 64]) {
      const key = Uint8Array.from({ length }, (_, i) => i)
      for (const crypto of [nobleCrypto, nodeCrypto]) {
        const hmac = hmacSha256(crypto, key)
        for (const message of [new Uint8Array(0), requestId, new Uint8Array(200).fill(3)]) {
          const expected = createHmac('sha256', key).update(message).digest('hex')
          expect(encodeHex(hmac(message))).toBe(expected)
        }
      }
    }
  })

  it('HMAC-SHA256 refuses a key of more than a block', () => {
    expect(() => hmacSha256(nobleCrypto, new Uint8Array(65))).toThrow(RangeError)
  })

  it('HKDF-SHA256 is case 3 of RFC 5869, which has no salt and no info', () => {
    expect(encodeHex(hkdfSha256(new Uint8Array(22).fill(0x0b), '', 42))).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    )
  })
})
