import {
  type JsonObject,
  parseTimestamp,
  type ReceiptQuery,
  scopeKey,
  type Statement,
  type Stored,
} from '@helm-ai-kernel/core'
import { scopeOfStatement } from '@helm-ai-kernel/core/receipt'

/** What `ReceiptQuery` may ask of a statement, and the statement's member. */
const filters = {
  kind: 'kind',
  verdict: 'verdict',
  reasonCode: 'reason_code',
  principal: 'principal',
  action: 'action',
  resource: 'resource',
  sessionId: 'session_id',
} as const satisfies Partial<Record<keyof ReceiptQuery, string>>

const members = Object.values(filters)
const queries = Object.keys(filters) as readonly (keyof typeof filters)[]

// A row is 10 words of 32 bits: id prefix (2), scope number, hash of each member; beside it seq and
// time. 56 bytes for every receipt of the ledger: 56 MB for a million, and nothing bounds it.
const scopeColumn = 2
const memberColumn = 3
const columns = memberColumn + members.length
const blockRows = 1024

interface Block {
  readonly words: Uint32Array
  /** seq and time of each row. */
  readonly numbers: Float64Array
}

/** Where a receipt stands in its scope. */
export interface Position {
  /** First 8 bytes of the receipt's digest, as two numbers, the first bytes first. */
  readonly prefix: readonly [number, number]
  /** Scopes are numbered in the order of their first receipts, from 0. */
  readonly scope: number
  readonly seq: number
}

/**
 * A slim row of every receipt. It only proposes: whoever asks reads the receipt from the log and
 * compares.
 */
export interface Window {
  readonly size: number
  /** Takes the next receipt of the log. */
  add(receipt: Stored): void
  /** Log indices, ascending, of all receipts that may fit. */
  propose(query: ReceiptQuery): Iterable<number>
  position(logIndex: number): Position
}

export function createWindow(): Window {
  const blocks: Block[] = []
  const scopes = new Map<string, number>()
  let size = 0

  function blockOf(logIndex: number): Block {
    return (blocks[Math.floor(logIndex / blockRows)] ??= {
      words: new Uint32Array(blockRows * columns),
      numbers: new Float64Array(blockRows * 2),
    })
  }

  function numberOf(key: string): number {
    const known = scopes.get(key)
    if (known !== undefined) return known
    scopes.set(key, scopes.size)
    return scopes.size - 1
  }

  return {
    get size() {
      return size
    },
    add({ receiptId, statement }) {
      const { words, numbers } = blockOf(size)
      const row = size % blockRows
      const word = row * columns
      const [high, low] = prefixOf(receiptId)
      words[word] = high
      words[word + 1] = low
      words[word + scopeColumn] = numberOf(scopeKey(scopeOfStatement(statement)))
      let column = word + memberColumn
      for (const member of members) words[column++] = hashOf(memberOf(statement, member))
      numbers[row * 2] = statement.seq
      numbers[row * 2 + 1] = Date.parse(statement.time)
      size++
    },
    *propose(query) {
      const wanted = wantedWords(query, scopes.get(scopeKey(query.scope)))
      if (wanted === undefined) return
      const after = query.afterSeq ?? 0
      const from = parseTimestamp(query.from ?? '') ?? -Infinity
      const to = parseTimestamp(query.to ?? '') ?? Infinity
      const end = size
      for (let first = 0; first < end; first += blockRows) {
        const { words, numbers } = blockOf(first)
        const rows = Math.min(blockRows, end - first)
        for (let row = 0; row < rows; row++) {
          if (!hasWords(words, row * columns, wanted)) continue
          const seq = numbers[row * 2] ?? 0
          const time = numbers[row * 2 + 1] ?? 0
          if (seq > after && time >= from && time <= to) yield first + row
        }
      }
    },
    position(logIndex) {
      const { words, numbers } = blockOf(logIndex)
      const row = logIndex % blockRows
      const word = row * columns
      return {
        prefix: [words[word] ?? 0, words[word + 1] ?? 0],
        scope: words[word + scopeColumn] ?? 0,
        seq: numbers[row * 2] ?? 0,
      }
    },
  }
}

/** The columns that a query fixes and their words; undefined when nothing can fit. */
function wantedWords(query: ReceiptQuery, scope: number | undefined): Wanted[] | undefined {
  if (scope === undefined) return undefined
  const wanted = [{ column: scopeColumn, word: scope }]
  for (const [i, name] of queries.entries()) {
    if (query[name] !== undefined) {
      wanted.push({ column: memberColumn + i, word: hashOf(query[name]) })
    }
  }
  const prefix = query.receiptId === undefined ? [] : prefixOf(query.receiptId)
  return [...wanted, ...prefix.map((word, column) => ({ column, word }))]
}

interface Wanted {
  readonly column: number
  readonly word: number
}

function hasWords(words: Uint32Array, at: number, wanted: readonly Wanted[]): boolean {
  for (const { column, word } of wanted) if (words[at + column] !== word) return false
  return true
}

function prefixOf(receiptId: string): [number, number] {
  const hex = receiptId.slice('rcpt-'.length)
  return [Number.parseInt(hex.slice(0, 8), 16), Number.parseInt(hex.slice(8, 16), 16)]
}

/** Undefined when the statement's kind has no such member. Not a copy: every receipt comes by here. */
function memberOf(statement: Statement, member: string): unknown {
  return (statement as unknown as JsonObject)[member]
}

/** FNV-1a over UTF-16 units, 32 bits. */
function hashOf(text: unknown): number {
  if (typeof text !== 'string') return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
