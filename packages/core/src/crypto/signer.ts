import type { Crypto, Signer } from '../ports/crypto.ts'
import { hmacSha256 } from './hmac.ts'
import { hkdfSha256, nobleCrypto } from './noble.ts'

/** What the kernel's one seed gives (design 2.6, 2.7). It signs receipts itself. */
export interface KernelSigner extends Signer {
  /** Signs checkpoints: a key of its own, so no checkpoint is ever a receipt. */
  readonly log: Signer
  /** The 16-byte salt of one request's hashes; only the holder of the seed can give it again. */
  salt(requestId: Uint8Array): Uint8Array
}

/** The signer of a 32-byte seed. The receipt key is the seed's own, so that people can compute it. */
export function signer(seed: Uint8Array, crypto: Crypto = nobleCrypto): KernelSigner {
  const receipts = crypto.signer(seed)
  const log = crypto.signer(hkdfSha256(seed, 'helm-ai-kernel/log/v1', 32))
  const hmac = hmacSha256(crypto, hkdfSha256(seed, 'helm-ai-kernel/salt/v1', 32))
  const salt = (requestId: Uint8Array) => hmac(requestId).slice(0, 16)
  return Object.freeze({ ...receipts, log, salt })
}
