import { type Crypto, decodeHex, type ReceiptStore, systemScope } from '@helm-ai-kernel/core'
import { formatVerifierKey } from '@helm-ai-kernel/core/log'
import type { KeyInfo } from '@helm-ai-kernel/http'

/** More than a ledger ever has: each change of key is two receipts. */
const limit = 1000

/** Every key that signed in the ledger, oldest first, as its own receipts say (design 4.4). */
export async function keysOf(receipts: ReceiptStore, crypto: Crypto): Promise<readonly KeyInfo[]> {
  const { identity } = await receipts.state()
  const { receipts: found } = await receipts.find({ scope: systemScope, kind: 'key', limit })
  const begun = found.flatMap(({ statement, logIndex }) =>
    statement.kind === 'key' && statement.event === 'began' ? [{ ...statement, logIndex }] : [],
  )
  return begun.map((key, i) => {
    const next = begun[i + 1]
    const publicKey = decodeHex(key.log_public_key, 32, 'log_public_key')
    return {
      key_id: key.subject_key_id,
      public_key: key.public_key,
      log_public_key: key.log_public_key,
      log_vkey: formatVerifierKey({ name: identity?.origin ?? '', publicKey }, crypto),
      endorsed: key.endorsed,
      first_index: key.logIndex,
      last_index: next === undefined ? null : next.logIndex - 1,
    }
  })
}
