import { canonicalBytes } from '../bytes/canonical.ts'
import { encodeHex } from '../bytes/hex.ts'
import type { LedgerKey } from '../receipt/key-ring.ts'

/**
 * `keys.json`: what the `key` receipts of the pack say, for people and tools that read no receipts.
 * INVARIANT: nothing is ever verified against it.
 */
export function encodeKeys(keys: readonly LedgerKey[]): Uint8Array {
  return canonicalBytes({
    type: 'helm.keys/v1',
    keys: keys.map(({ keyId, publicKey, logPublicKey, endorsed, from }, i) => {
      const next = keys[i + 1]
      return {
        key_id: keyId,
        public_key: encodeHex(publicKey),
        log_public_key: encodeHex(logPublicKey),
        endorsed,
        first_index: from,
        last_index: next === undefined ? null : next.from - 1,
      }
    }),
  })
}
