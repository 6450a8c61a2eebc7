import { canonicalBytes, decodeJson, isObject, type Json, KernelError } from '@helm-ai-kernel/core'
import { decodeEntry, isReceiptId, type ReceiptId, receiptIdOf } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto } from '@helm-ai-kernel/host'

const code = 'RECEIPT_MALFORMED'

/**
 * The id of a receipt as somebody may hold it: the entry itself, or the JSON in which a kernel gave it.
 * An entry counts for more than the id beside it. Throws `RECEIPT_MALFORMED`.
 */
export function receiptIn(bytes: Uint8Array, path: string): ReceiptId {
  const json = read(bytes, path)
  const entry = entryOf(json)
  if (entry !== undefined) return receiptIdOf(nodeCrypto.sha256(entry))
  const id = isObject(json) ? json['receipt_id'] : undefined
  if (isReceiptId(id)) return id
  throw new KernelError(code, `${path} has neither an entry nor a receipt_id`)
}

/** The entry of such a receipt. Throws `RECEIPT_MALFORMED`. */
export function entryIn(bytes: Uint8Array, path: string): Uint8Array {
  const entry = entryOf(read(bytes, path))
  if (entry === undefined) throw new KernelError(code, `${path} has no entry`)
  return entry
}

function read(bytes: Uint8Array, path: string): Json {
  return decodeJson(bytes, { maxBytes: 1 << 20, code, what: path })
}

/** In its one encoding; undefined when there is none. */
export function entryOf(json: Json): Uint8Array | undefined {
  const held = isObject(json) ? json : {}
  const entry = held['payload'] === undefined ? held['entry'] : held
  if (entry === undefined) return undefined
  const canonical = canonicalBytes(entry)
  decodeEntry(canonical)
  return canonical
}
