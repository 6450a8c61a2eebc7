import {
  type Crypto,
  decodeHex,
  decodeUtf8,
  type Disk,
  encodeHex,
  encodeUtf8,
  equalBytes,
  isKernelError,
  type LedgerIdentity,
  type ScopeState,
  type Signer,
} from '@helm-ai-kernel/core'
import { openNote, signNote } from '@helm-ai-kernel/core/log'
import type { StateFields } from '@helm-ai-kernel/core/receipt'
import type { Edge } from './batch.ts'
import { isDiskError, readFile } from './read-file.ts'
import { replaceFile } from './replace-file.ts'

// `ledger/state` is what the fold of the log's beginning is, so that a start need not read all of it.
// A note, signed by the log key, over the digest of what follows it: one line of JSON for the ledger,
// then one for each scope, in the order of their first receipts. It is rebuilt when it is missing.
// INVARIANT: no checkpoint (the third line is no root), no bundle, no receipt begins so (design 2.3).

export const statePath = 'ledger/state'

const title = 'helm.ledger-state/v1'
const form = /^helm\.ledger-state\/v1\nledger ([0-9a-f]{32})\nbody ([0-9a-f]{64})\n$/

/** A state is kept of sizes that are multiples of this. */
export const stateEntries = 4096

/** All that a start needs of the first `size` entries. */
export interface Snapshot {
  readonly fields: StateFields
  /** Ids of allowed calls whose outcome is not among these entries. */
  readonly unresolved: readonly string[]
  /** The log key of each `key` receipt with which one began, 64 hex, and the receipt's log index. */
  readonly keys: readonly (readonly [logIndex: number, logPublicKey: string])[]
  /** Digest of the file of positions over these entries, 64 hex. */
  readonly positions: string
}

/** A snapshot, and the tree over the same entries. */
export interface KeptState extends Snapshot {
  readonly edge: Edge
}

interface Body extends Omit<Snapshot, 'fields'> {
  readonly fields: Omit<StateFields, 'scopes'>
  readonly edge: readonly string[]
}

/** How many scopes are encoded between two turns of the event loop. */
const scopesInTurn = 512

/** Replaces the file. `turn` lets others run: ten thousand scopes are three megabytes. */
export async function writeState(
  disk: Disk,
  crypto: Crypto,
  log: Signer,
  { origin, ledgerId }: LedgerIdentity,
  state: KeptState,
  turn: () => Promise<void>,
): Promise<void> {
  const parts: Uint8Array[] = []
  for (const part of encodeBody(state)) {
    parts.push(part)
    await turn()
  }
  const text = `${title}\nledger ${ledgerId}\nbody ${encodeHex(digestOf(crypto, parts))}\n`
  await replaceFile(disk, statePath, concat([signNote(text, origin, log, crypto), ...parts]))
}

/** Whether two states are the same, to the byte. */
export function isSameState(crypto: Crypto, a: KeptState, b: KeptState): boolean {
  return equalBytes(digestOf(crypto, encodeBody(a)), digestOf(crypto, encodeBody(b)))
}

/** One encoding: members have their order here, whatever order they have in memory. */
function* encodeBody(state: KeptState): Generator<Uint8Array> {
  const { size, time, key, successor, trust, scopes } = state.fields
  const { unresolved, keys, positions } = state
  const fields = { size, time, key, successor, trust }
  const body: Body = { fields, unresolved, keys, positions, edge: state.edge.hashes.map(encodeHex) }
  yield encodeUtf8(`${JSON.stringify(body)}\n`)
  const all = Object.entries(scopes)
  for (let from = 0; from < all.length; from += scopesInTurn) {
    const lines = all.slice(from, from + scopesInTurn).map(lineOf)
    yield encodeUtf8(lines.join(''))
  }
}

function lineOf([name, state]: readonly [string, ScopeState]): string {
  const { seq, prev, signed, signedOnly, unsigned } = state
  return `${JSON.stringify([name, { seq, prev, signed, signedOnly, unsigned }])}\n`
}

function digestOf(crypto: Crypto, parts: Iterable<Uint8Array>): Uint8Array {
  const hasher = crypto.hasher('sha256')
  for (const part of parts) hasher.update(part)
  return hasher.digest()
}

/**
 * The kept state; undefined when there is none, and why in a few words when there is one that nobody
 * may believe: not of this ledger, not signed by the log key, not whole. Without a key whoever wrote
 * the file is believed: for readers that hold nothing against it.
 */
export async function readState(
  disk: Disk,
  crypto: Crypto,
  { origin, ledgerId }: LedgerIdentity,
  logPublicKey?: Uint8Array,
): Promise<KeptState | string | undefined> {
  try {
    const bytes = await readFile(disk, statePath)
    if (bytes === undefined) return undefined
    const { text, note, body } = split(bytes)
    const [, ledger, digest = ''] = form.exec(text) ?? []
    if (ledger === undefined) return 'is no kept state'
    if (ledger !== ledgerId) return `is of ledger ${ledger}`
    if (logPublicKey !== undefined) {
      openNote(note, [{ name: origin, publicKey: logPublicKey }], crypto)
    }
    const isWhole = equalBytes(digestOf(crypto, [body]), decodeHex(digest, 32, 'digest'))
    return isWhole ? parseBody(body) : 'is not whole'
  } catch (error) {
    if (isKernelError(error)) return `is not this log’s: ${error.message}`
    if (isDiskError(error)) return `cannot be read: ${error.message}`
    if (error instanceof SyntaxError || error instanceof TypeError) return 'is no kept state'
    throw error
  }
}

/** The note ends with its signature line. */
function split(bytes: Uint8Array) {
  const newline = 0x0a
  const textEnd = bytes.findIndex((byte, i) => byte === newline && bytes[i + 1] === newline) + 1
  const noteEnd = bytes.indexOf(newline, textEnd + 1) + 1
  return {
    text: decodeUtf8(bytes, 0, textEnd),
    note: bytes.subarray(0, noteEnd),
    body: bytes.subarray(noteEnd),
  }
}

/** The body is as a holder of the log key wrote it: it was held against a digest that the key signed. */
function parseBody(bytes: Uint8Array): KeptState {
  const [head = '', ...lines] = decodeUtf8(bytes).split('\n').slice(0, -1)
  const { fields, edge, ...rest } = JSON.parse(head) as Body
  const scopes = lines.map((line) => JSON.parse(line) as [string, ScopeState])
  const hashes = edge.map((hash) => decodeHex(hash, 32, 'edge'))
  return {
    ...rest,
    fields: { ...fields, scopes: Object.fromEntries(scopes) },
    edge: { size: fields.size, hashes },
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
