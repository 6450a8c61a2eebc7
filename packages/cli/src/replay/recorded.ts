import {
  decodeHex,
  isKernelError,
  type Keep,
  type KernelSigner,
  type KeyId,
  type ReceiptStore,
  type Scope,
  type Stored,
} from '@helm-ai-kernel/core'
import { decodeStoredArgs, type StoredArgs, storedArgsName } from '@helm-ai-kernel/core/policy'
import { type DecisionBody, saltedHash, type Statement } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto } from '@helm-ai-kernel/host'

/** Which decisions of a ledger. */
export interface Range {
  readonly scope: Scope
  /** Inclusive bounds on the time of the receipt. */
  readonly from: string | undefined
  readonly to: string | undefined
}

export type DecisionStatement = Statement & DecisionBody

/** A decision as it was recorded. */
export interface Recorded extends Stored {
  readonly statement: DecisionStatement
}

const pageSize = 256

/** The decisions of a scope, oldest first; a page of receipts is in memory at a time. */
export async function* decisionsIn(
  receipts: Pick<ReceiptStore, 'find'>,
  { scope, from = '', to }: Range,
): AsyncGenerator<Recorded> {
  let afterSeq = 0
  for (;;) {
    // Without a filter a list is a range of the ledger, and whole however long that is (design 4.1).
    const page = await receipts.find({ scope, afterSeq, limit: pageSize })
    for (const receipt of page.receipts) {
      const { statement } = receipt
      afterSeq = statement.seq
      // Time never falls within a ledger.
      if (to !== undefined && statement.time > to) return
      if (statement.kind === 'decision' && statement.time >= from) yield { ...receipt, statement }
    }
    if (!page.hasMore) return
    afterSeq = page.scannedTo ?? afterSeq
  }
}

/**
 * What a decision was asked with: `absent` when it was not stored, `altered` when what is there is not
 * what the receipt is about. `checked` says whether a seed of `signers` opened the receipt's hashes.
 */
export type Asked = 'absent' | 'altered' | (StoredArgs & { readonly checked: boolean })

export async function askedWith(
  { receiptId, statement }: Recorded,
  keep: Pick<Keep, 'get'>,
  signers: ReadonlyMap<KeyId, KernelSigner>,
): Promise<Asked> {
  const bytes = await keep.get(storedArgsName(receiptId))
  if (bytes === undefined) return 'absent'
  let stored: StoredArgs
  try {
    stored = decodeStoredArgs(bytes)
  } catch (error) {
    if (isKernelError(error)) return 'altered'
    throw error
  }
  if (stored.resource !== '' && stored.resource !== statement.resource) return 'altered'
  const signer = signers.get(statement.key_id)
  if (signer === undefined) return { ...stored, checked: false }
  const salt = signer.salt(decodeHex(statement.request_id, 16, 'request_id'))
  const fits =
    saltedHash(nodeCrypto, 'args', salt, stored.args) === statement.args_hash &&
    saltedHash(nodeCrypto, 'context', salt, stored.context) === statement.context_hash
  return fits ? { ...stored, checked: true } : 'altered'
}
