import { base64Length, decodeBase64, writeBase64 } from '../bytes/base64.ts'
import type { Brand } from '../bytes/brand.ts'
import { canonicalBytes } from '../bytes/canonical.ts'
import type { Digest } from '../bytes/digest.ts'
import { encodeHex } from '../bytes/hex.ts'
import type { JsonObject } from '../bytes/json.ts'
import { decodeCanonical } from '../bytes/scan.ts'
import { transient } from '../bytes/transient.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'
import type { Sealed } from '../ports/receipt-store.ts'
import type { KeyId } from '../crypto/key-id.ts'
import { parseStatement } from './schema.ts'
import type { Statement } from './statement.ts'

/** `rcpt-` and the hex SHA-256 of the entry: a receipt is named by its content. */
export type ReceiptId = Brand<string, 'ReceiptId'>

/** An entry taken apart; nothing is verified but its form. */
export interface DecodedEntry {
  readonly statement: Statement
  /** The statement's canonical bytes: what `signature` is over, in DSSE's encoding. */
  readonly payload: Uint8Array
  readonly keyId: KeyId
  readonly signature: Uint8Array
}

export const maxStatementBytes = 48_000
/** Entry bundles of a tiled log count in 16 bits. */
export const maxEntryBytes = 65_535

const payloadType = 'application/vnd.helm.receipt.v1+json'
const beforePayload = encodeUtf8('{"payload":"')
const afterSignature = encodeUtf8('"}]}')
const envelope =
  /^\{"payload":"([A-Za-z0-9+/]+=*)","payloadType":"application\/vnd\.helm\.receipt\.v1\+json","signatures":\[\{"keyid":"(ed25519:[0-9a-f]{16})","sig":"([A-Za-z0-9+/]{86}==)"\}\]\}$/

/** DSSE's pre-authentication encoding of a statement's bytes. */
export function preAuthentication(payload: Uint8Array): Uint8Array {
  const { length } = payload
  return transient(encodeUtf8(`DSSEv1 ${payloadType.length} ${payloadType} ${length} `), payload)
}

export function receiptIdOf(entryHash: Uint8Array): ReceiptId {
  return `rcpt-${encodeHex(entryHash)}` as ReceiptId
}

export function isReceiptId(value: unknown): value is ReceiptId {
  return typeof value === 'string' && /^rcpt-[0-9a-f]{64}$/.test(value)
}

/** `prev` of the next receipt is the digest by which this one is named. */
export function digestOfReceipt(id: ReceiptId): Digest {
  return id.replace('rcpt-', 'sha256:') as Digest
}

/** Signs a statement and encodes the DSSE envelope. Throws `RECEIPT_MALFORMED` when it is too large. */
export function sealStatement(crypto: Crypto, signer: Signer, statement: Statement): Sealed {
  const payload = canonicalBytes(statement as unknown as JsonObject)
  if (payload.length > maxStatementBytes) {
    throw new KernelError(
      'RECEIPT_MALFORMED',
      `a statement is at most ${maxStatementBytes} bytes, this one is ${payload.length}`,
    )
  }
  const signature = signer.sign(preAuthentication(payload))
  // Canonical by construction: the members stand in order and no character needs an escape.
  const between = encodeUtf8(
    `","payloadType":"${payloadType}","signatures":[{"keyid":"${signer.keyId}","sig":"`,
  )
  const payloadAt = beforePayload.length
  const betweenAt = payloadAt + base64Length(payload.length)
  const signatureAt = betweenAt + between.length
  const afterAt = signatureAt + base64Length(signature.length)
  const entry = new Uint8Array(afterAt + afterSignature.length)
  entry.set(beforePayload)
  writeBase64(payload, entry, payloadAt)
  entry.set(between, betweenAt)
  writeBase64(signature, entry, signatureAt)
  entry.set(afterSignature, afterAt)
  return Object.freeze({
    entry,
    payload,
    receiptId: receiptIdOf(crypto.sha256(entry)),
    statement: Object.freeze(statement),
  })
}

/**
 * Takes an entry apart. Only the one encoding that `sealStatement` would make is accepted, so a
 * receipt has exactly one id. Throws `RECEIPT_MALFORMED`.
 */
export function decodeEntry(entry: Uint8Array): DecodedEntry {
  if (entry.length > maxEntryBytes) {
    throw new KernelError('RECEIPT_MALFORMED', `an entry is at most ${maxEntryBytes} bytes`)
  }
  const parts = envelope.exec(asText(entry))
  const [, body = '', keyId = '', sig = ''] = parts ?? []
  if (parts === null) {
    throw new KernelError(
      'RECEIPT_MALFORMED',
      'an entry is the canonical DSSE envelope of a helm.receipt/v1 statement with one signature',
    )
  }
  const payload = fromBase64(body)
  const statement = parseStatement(
    decodeCanonical(payload, {
      maxBytes: maxStatementBytes,
      code: 'RECEIPT_MALFORMED',
      notCanonical: 'RECEIPT_MALFORMED',
      what: 'statement',
    }),
  )
  if (statement.key_id !== keyId) {
    throw new KernelError(
      'RECEIPT_MALFORMED',
      'key_id and the keyid of the signature must be equal',
    )
  }
  return { statement, payload, keyId: statement.key_id, signature: fromBase64(sig) }
}

/** Whether the entry's signature is `publicKey`'s. */
export function verifyEntry(crypto: Crypto, entry: DecodedEntry, publicKey: Uint8Array): boolean {
  return crypto.verify(publicKey, entry.signature, preAuthentication(entry.payload))
}

function asText(entry: Uint8Array): string {
  try {
    return decodeUtf8(entry)
  } catch (cause) {
    throw new KernelError('RECEIPT_MALFORMED', 'an entry is UTF-8', { cause })
  }
}

function fromBase64(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (cause) {
    throw new KernelError('RECEIPT_MALFORMED', 'an entry has canonical base64', { cause })
  }
}
