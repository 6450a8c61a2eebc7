import { type Crypto, type Disk, type File, scopeKey } from '@helm-ai-kernel/core'
import { type Audited, scopeOfStatement } from '@helm-ai-kernel/core/receipt'
import { isDiskError } from './read-file.ts'
import { setU64 } from './u64.ts'

// Record N of the file is of log index N: 8 bytes digest prefix · u64le scope number · u64le seq. It is
// made of the log and can be made again.

export const positionsPath = 'ledger/positions'
export const recordBytes = 24
/** Records are digested in blocks: digest n + 1 = SHA-256(digest n ‖ block n), from 32 zeros. */
export const blockRecords = 4096
export const blockBytes: number = blockRecords * recordBytes
export const noRecords: Uint8Array = new Uint8Array(32)

/** Where a receipt stands in its scope. */
export interface Position {
  /** First 8 bytes of the receipt's digest, as two numbers, the first bytes first. */
  readonly prefix: readonly [number, number]
  /** Scopes are numbered in the order of their first receipts, from 0. */
  readonly scope: number
  readonly seq: number
}

/** Numbers of scopes by `scopeKey`. */
export interface ScopeNumbers {
  /** Undefined when the scope has no receipt. */
  find(key: string): number | undefined
  /** The number of a receipt's scope; a new one when it is the first. */
  of(receipt: Audited): number
}

export function createScopeNumbers(keys: readonly string[]): ScopeNumbers {
  const numbers = new Map(keys.map((key, number) => [key, number]))
  return {
    find: (key) => numbers.get(key),
    of({ statement }) {
      const key = scopeKey(scopeOfStatement(statement))
      const known = numbers.get(key)
      if (known !== undefined) return known
      numbers.set(key, numbers.size)
      return numbers.size - 1
    },
  }
}

export function prefixOf(receiptId: string): readonly [number, number] {
  const hex = receiptId.slice('rcpt-'.length)
  return [Number.parseInt(hex.slice(0, 8), 16), Number.parseInt(hex.slice(8, 16), 16)]
}

export function positionOf(scopes: ScopeNumbers, receipt: Audited): Position {
  const { receiptId, statement } = receipt
  return { prefix: prefixOf(receiptId), scope: scopes.of(receipt), seq: statement.seq }
}

/** Writes record `i` of `records`. */
export function setPosition(records: Uint8Array, i: number, position: Position): void {
  const view = new DataView(records.buffer, records.byteOffset + i * recordBytes, recordBytes)
  view.setUint32(0, position.prefix[0])
  view.setUint32(4, position.prefix[1])
  setU64(view, 8, position.scope)
  setU64(view, 16, position.seq)
}

/** The digest after one more block. */
export function nextDigest(crypto: Crypto, digest: Uint8Array, block: Uint8Array): Uint8Array {
  return crypto.hasher('sha256').update(digest).update(block).digest()
}

/** The digest of the first `size` records in the file, a multiple of a block; undefined when it is shorter. */
export async function digestFile(
  disk: Disk,
  crypto: Crypto,
  size: number,
): Promise<Uint8Array | undefined> {
  let digest = noRecords
  if (size === 0) return digest
  return withFile(disk, async (file) => {
    for (let first = 0; first < size; first += blockRecords) {
      const block = await file.read(first * recordBytes, blockBytes)
      if (block.length < blockBytes) return undefined
      digest = nextDigest(crypto, digest, block)
    }
    return digest
  })
}

/** Whole records in the file from record `from` on, at most `count`. */
export async function readRecords(disk: Disk, from: number, count: number): Promise<Uint8Array> {
  const bytes = await withFile(disk, (file) => file.read(from * recordBytes, count * recordBytes))
  return bytes?.subarray(0, bytes.length - (bytes.length % recordBytes)) ?? new Uint8Array()
}

/** Undefined when there is no file. */
async function withFile<T>(disk: Disk, use: (file: File) => Promise<T>): Promise<T | undefined> {
  let file
  try {
    file = await disk.open(positionsPath, 'read')
  } catch (error) {
    if (isDiskError(error) && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
