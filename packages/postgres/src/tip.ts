import {
  type Crypto,
  decodeJson,
  encodeUtf8,
  isDigest,
  isKeyId,
  isObject,
  type Json,
  KernelError,
  type LedgerIdentity,
  type Mark,
  type ScopeState,
} from '@helm-ai-kernel/core'
import { createRange, hashBytes } from '@helm-ai-kernel/core/log'
import type { StateFields } from '@helm-ai-kernel/core/receipt'
import type { Row } from './client.ts'
import { bytesOf, numberOf, optionalTextOf, textOf } from './row.ts'

/** The tree at one size: enough to go on from and to sign. */
export interface Edge {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
}

/** The one row of the tip: where the ledger stands. */
export interface Tip {
  readonly identity: LedgerIdentity
  readonly edge: Edge
  /** All but the scopes. */
  readonly fields: Omit<StateFields, 'scopes'>
  /** The published checkpoint. */
  readonly checkpoint: Uint8Array
  readonly checkpointSize: number
}

/** Throws `LEDGER_CORRUPT`. */
export function readTip(row: Row): Tip {
  const size = numberOf(row, 'size')
  const key = optionalTextOf(row, 'key')
  const successor = optionalTextOf(row, 'successor')
  if (key !== undefined && !isKeyId(key)) throw corrupt('key of the tip')
  if (successor !== undefined && !isKeyId(successor)) throw corrupt('successor of the tip')
  return {
    identity: Object.freeze({
      ledgerId: textOf(row, 'ledger_id'),
      origin: textOf(row, 'origin'),
    }),
    edge: { size, hashes: splitHashes(bytesOf(row, 'edge')) },
    fields: {
      size,
      time: numberOf(row, 'time'),
      key,
      successor,
      trust: trustOf(optionalTextOf(row, 'trust')),
    },
    checkpoint: bytesOf(row, 'checkpoint'),
    checkpointSize: numberOf(row, 'checkpoint_size'),
  }
}

/** Throws `LEDGER_CORRUPT`. */
export function readScopes(rows: readonly Row[]): Record<string, ScopeState> {
  return Object.fromEntries(rows.map((row) => [textOf(row, 'key'), scopeOf(textOf(row, 'state'))]))
}

/** Members that are undefined are left out, and are undefined when it is read. */
export function scopeText(state: ScopeState): string {
  return JSON.stringify(state)
}

export function joinHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * hashBytes)
  for (const [i, hash] of hashes.entries()) bytes.set(hash, i * hashBytes)
  return bytes
}

export function rootOf(crypto: Crypto, edge: Edge): Uint8Array {
  return createRange(crypto, edge).root()
}

function splitHashes(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: bytes.length / hashBytes }, (_, i) =>
    bytes.slice(i * hashBytes, (i + 1) * hashBytes),
  )
}

function scopeOf(text: string): ScopeState {
  const value = objectOf(text)
  const { seq, prev, signed, signedOnly, unsigned } = value
  if (!isCount(seq) || typeof signedOnly !== 'boolean') throw corrupt('state of a scope')
  if (prev !== undefined && !isDigest(prev)) throw corrupt('state of a scope')
  return { seq, prev, signed: markOf(signed), signedOnly, unsigned: markOf(unsigned) }
}

function markOf(value: Json | undefined): Mark | undefined {
  if (value === undefined) return undefined
  const { epoch, hash } = isObject(value) ? value : {}
  if (!isCount(epoch) || !isDigest(hash)) throw corrupt('mark of a scope')
  return { epoch, hash }
}

function trustOf(text: string | undefined): StateFields['trust'] {
  if (text === undefined) return undefined
  const { version, digest } = objectOf(text)
  if (!isCount(version) || !isDigest(digest)) throw corrupt('trust mark of the tip')
  return { version, digest }
}

function objectOf(text: string): Readonly<Record<string, Json | undefined>> {
  let value: Json
  try {
    value = decodeJson(encodeUtf8(text), { maxBytes: 4096, code: 'LEDGER_CORRUPT', what: 'state' })
  } catch (cause) {
    throw corrupt('state', cause)
  }
  if (!isObject(value)) throw corrupt('state')
  return value
}

function isCount(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function corrupt(what: string, cause?: unknown): KernelError {
  const message = `the ${what} in the database is not what was written`
  return new KernelError('LEDGER_CORRUPT', message, { cause })
}
