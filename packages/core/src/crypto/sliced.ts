import type { Steps } from '../bytes/finish.ts'
import type { Crypto, Hasher } from '../ports/crypto.ts'
import { verifyChallenge } from './noble.ts'

/** A millisecond or two of hashing, native or not far from it. */
const slice = 1 << 20

/** SHA-256 of `bytes`, yielding between slices. */
export function* sha256Sliced(crypto: Crypto, bytes: Uint8Array): Generator<undefined, Uint8Array> {
  if (bytes.length <= slice) return crypto.sha256(bytes)
  const hasher = crypto.hasher('sha256')
  yield* updateSliced(hasher, bytes)
  return hasher.digest()
}

/** `crypto.verifyLater` for a long message, where there is one. */
export function* verifySignatureLater(
  crypto: Crypto,
  publicKey: Uint8Array,
  signature: Uint8Array,
  bytes: Uint8Array,
): Steps<boolean> {
  if (bytes.length <= slice || crypto.verifyLater === undefined) {
    return yield* verifySignatureSliced(crypto, publicKey, signature, bytes)
  }
  let holds = false
  yield crypto.verifyLater(publicKey, signature, bytes).then((answer) => {
    holds = answer
  })
  return holds
}

/** `crypto.verify` with the same accept set, yielding between slices of a long message. */
export function* verifySignatureSliced(
  crypto: Crypto,
  publicKey: Uint8Array,
  signature: Uint8Array,
  bytes: Uint8Array,
): Generator<undefined, boolean> {
  if (bytes.length <= slice || signature.length !== 64) {
    return crypto.verify(publicKey, signature, bytes)
  }
  const hasher = crypto.hasher('sha512').update(signature.subarray(0, 32)).update(publicKey)
  yield* updateSliced(hasher, bytes)
  return verifyChallenge(publicKey, signature, hasher.digest())
}

function* updateSliced(hasher: Hasher, bytes: Uint8Array): Generator<undefined, void> {
  for (let from = 0; from < bytes.length; from += slice) {
    hasher.update(bytes.subarray(from, from + slice))
    yield
  }
}
