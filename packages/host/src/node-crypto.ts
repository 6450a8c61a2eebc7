import {
  createHash,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import {
  checkPublicKey,
  checkSeed,
  type Crypto,
  type Hasher,
  keyIdOf,
  nobleCrypto,
} from '@helm-ai-kernel/core'

/** node:crypto takes Ed25519 keys as DER; these go before the 32 bytes (RFC 8410). */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** How many verifying keys are kept made; a deployment has a handful. */
const keyLimit = 256
const keys = new Map<string, KeyObject>()

/** The Crypto of Node, Deno and Bun, many times as fast as the portable one; the same accept set. */
export const nodeCrypto: Crypto = Object.freeze({
  // A string out is twice as fast as a Buffer out, and Buffers would slice otherwise than bytes do.
  sha256: (bytes) => fromBinary(hash('sha256', bytes, 'binary')),

  verify(publicKey, signature, bytes) {
    const key = verifyingKey(publicKey)
    if (key === undefined) return false
    return verify(null, bytes, key, signature) || verifiesWithWeakR(publicKey, signature, bytes)
  },

  verifyLater(publicKey, signature, bytes) {
    const key = verifyingKey(publicKey)
    if (key === undefined) return Promise.resolve(false)
    return new Promise((resolve) => {
      verify(null, bytes, key, signature, (error, holds) =>
        resolve(error === null && (holds || verifiesWithWeakR(publicKey, signature, bytes))),
      )
    })
  },

  hasher(algorithm) {
    const inner = createHash(algorithm)
    const hasher: Hasher = {
      update(bytes) {
        inner.update(bytes)
        return hasher
      },
      digest: () => new Uint8Array(inner.digest()),
    }
    return hasher
  },

  signer(seed) {
    checkSeed(seed)
    const der = Buffer.concat([privatePrefix, seed])
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
    const publicKey = new Uint8Array(spki.subarray(publicPrefix.length))
    const keyId = keyIdOf(nodeCrypto, publicKey)
    return Object.freeze({
      keyId,
      publicKey,
      sign: (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, key)),
    })
  },
} satisfies Crypto)

/**
 * node:crypto's equation is cofactorless, and it refuses S ≥ L and an R in other bytes; but it takes
 * any A, weak and second spellings too. So the core looks at each key, once.
 */
function verifyingKey(publicKey: Uint8Array): KeyObject | undefined {
  const name = Buffer.from(publicKey).toString('latin1')
  const known = keys.get(name)
  if (known !== undefined) return known
  if (checkPublicKey(publicKey) !== 'ok') return undefined
  const der = Buffer.concat([publicPrefix, publicKey])
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  const [oldest] = keys.keys()
  if (keys.size >= keyLimit && oldest !== undefined) keys.delete(oldest)
  keys.set(name, key)
  return key
}

/**
 * OpenSSL 3.5 takes no R of small order, where the accept set asks only that the equation holds. Nobody
 * signs so, but all must agree on it: the portable implementation decides.
 */
function verifiesWithWeakR(
  publicKey: Uint8Array,
  signature: Uint8Array,
  bytes: Uint8Array,
): boolean {
  const isWeak = signature.length === 64 && checkPublicKey(signature.subarray(0, 32)) !== 'ok'
  return isWeak && nobleCrypto.verify(publicKey, signature, bytes)
}

function fromBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
