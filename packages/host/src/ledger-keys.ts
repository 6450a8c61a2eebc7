import {
  type Crypto,
  decodeHex,
  type ReceiptStore,
  type Stored,
  systemScope,
} from '@helm-ai-kernel/core'
import { formatVerifierKey } from '@helm-ai-kernel/core/log'
import type { KeyInfo } from '@helm-ai-kernel/http'

const pageSize = 256

/** Every key that signed in the ledger, oldest first, as its own receipts say (design 4.4). */
export async function keysOf(receipts: ReceiptStore, crypto: Crypto): Promise<readonly KeyInfo[]> {
  const { identity } = await receipts.state()
  const name = identity?.origin ?? ''
  const keys: KeyInfo[] = []
  /** Log index of the newest receipt of a key that ended. */
  let ended: number | undefined
  for await (const { statement, logIndex } of systemReceipts(receipts)) {
    if (statement.kind !== 'key') continue
    if (statement.event === 'ended') {
      ended = logIndex
      continue
    }
    endLast(logIndex - 1)
    ended = undefined
    const publicKey = decodeHex(statement.log_public_key, 32, 'log_public_key')
    keys.push({
      key_id: statement.subject_key_id,
      public_key: statement.public_key,
      log_public_key: statement.log_public_key,
      log_vkey: formatVerifierKey({ name, publicKey }, crypto),
      endorsed: statement.endorsed,
      first_index: logIndex,
      last_index: null,
    })
  }
  if (ended !== undefined) endLast(ended)
  return keys

  function endLast(index: number): void {
    const last = keys.at(-1)
    if (last !== undefined) keys[keys.length - 1] = { ...last, last_index: index }
  }
}

/** All of the scope and not only those of a kind: such a list is whole, however long the ledger is. */
async function* systemReceipts(receipts: ReceiptStore): AsyncGenerator<Stored> {
  let afterSeq = 0
  for (;;) {
    const page = await receipts.find({ scope: systemScope, afterSeq, limit: pageSize })
    yield* page.receipts
    afterSeq = page.receipts.at(-1)?.statement.seq ?? page.scannedTo ?? afterSeq
    if (!page.hasMore) return
  }
}
