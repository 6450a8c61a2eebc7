import { base64Length, readBase64, writeBase64 } from '../bytes/base64.ts'
import type { Brand } from '../bytes/brand.ts'
import { canonicalBytes } from '../bytes/canonical.ts'
import type { Digest } from '../bytes/digest.ts'
import { equalBytes } from '../bytes/equal.ts'
import { encodeHex } from '../bytes/hex.ts'
import type { JsonObject } from '../bytes/json.ts'
import { decodeCanonical } from '../bytes/scan.ts'
import { transient } from '../bytes/transient.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
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
const betweenKeyAndSignature = encodeUtf8('","sig":"')
const afterSignature = encodeUtf8('"}]}')
const afterPayload = encodeUtf8(`","payloadType":"${payloadType}","signatures":[{"keyid":"`)
const keyIdLength = 'ed25519:'.length + 16
const signatureLength = base64Length(64)

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
  const between = transient(afterPayload, encodeUtf8(signer.keyId), betweenKeyAndSignature)
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
  const { payload, keyId, signature } = readEnvelope(entry)
  const statement = parseStatement(
    decodeCanonical(payload, {
      maxBytes: maxStatementBytes,
      code: 'RECEIPT_MALFORMED',
      notCanonical: 'RECEIPT_MALFORMED',
      what: 'statement',
    }),
  )
  // The key id of a statement is ASCII of one form, so equal bytes are an equal text.
  if (!equalBytes(encodeUtf8(statement.key_id), keyId)) {
    throw new KernelError(
      'RECEIPT_MALFORMED',
      'key_id and the keyid of the signature must be equal',
    )
  }
  return { statement, payload, keyId: statement.key_id, signature }
}

/** Whether the entry's signature is `publicKey`'s. */
export function verifyEntry(crypto: Crypto, entry: DecodedEntry, publicKey: Uint8Array): boolean {
  return crypto.verify(publicKey, entry.signature, preAuthentication(entry.payload))
}

/** The three parts of an envelope, all else of which is fixed. */
function readEnvelope(entry: Uint8Array) {
  // From its end: what follows the payload has one length.
  let at = entry.length
  const back = (length: number): Uint8Array => {
    const end = at
    at = Math.max(0, at - length)
    return entry.subarray(at, end)
  }
  const is = (expected: Uint8Array): boolean => equalBytes(back(expected.length), expected)
  let good = is(afterSignature)
  const signature = readBase64(back(signatureLength))
  good &&= is(betweenKeyAndSignature)
  const keyId = back(keyIdLength)
  good &&= is(afterPayload)
  const payload = readBase64(back(at - beforePayload.length))
  good &&= at === beforePayload.length && is(beforePayload)
  if (!good || payload === undefined || payload.length === 0 || signature?.length !== 64) {
    throw new KernelError(
      'RECEIPT_MALFORMED',
      'an entry is the canonical DSSE envelope of a helm.receipt/v1 statement with one signature',
    )
  }
  return { payload, keyId, signature }
}
