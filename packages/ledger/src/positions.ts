import { type Crypto, decodeHex, type Disk, encodeHex, equalBytes } from '@helm-ai-kernel/core'
import type { Audited } from '@helm-ai-kernel/core/receipt'
import { messageOf } from './fault.ts'
import {
  blockBytes,
  blockRecords,
  createScopeNumbers,
  digestFile,
  nextDigest,
  noRecords,
  positionOf,
  positionsPath,
  readRecords,
  recordBytes,
  type ScopeNumbers,
  setPosition,
} from './position.ts'
import { isDiskError } from './read-file.ts'
import { type Remaking, remakeRecords } from './remake-records.ts'
import type { Snapshot } from './state-file.ts'

/** The file of positions, and what of it is still in memory. */
export interface Positions {
  /** Records, in file and memory. */
  readonly size: number
  /** Whether the file is what the log says, as far as anybody knows. */
  readonly good: boolean
  readonly scopes: ScopeNumbers
  /** Takes the next receipt of the log. */
  add(receipt: Audited): void
  /** Digest of all records, 64 hex; asked when there is a whole number of blocks of them. */
  digest(): string
  /** Leaves all but the newest records to the file, which `check` then looks at. */
  forget(): void
  /** Holds the file against the log. When it is another's it is no longer good, and is made again. */
  check(by?: Remaking): Promise<void>
  /** It was found to be wrong: it is made again. */
  distrust(): void
  /** Records from `from` on: `count`, or fewer. */
  read(from: number, count: number): Promise<Uint8Array>
  /** Writes what the file has not, and syncs it. */
  extend(): Promise<void>
  /** Resolves when nothing is under way. */
  close(): Promise<void>
}

export interface PositionsOptions {
  readonly disk: Disk
  readonly crypto: Crypto
  /** Tells what the beginning of the file must be. */
  readonly kept: Snapshot | undefined
}

const notice = 'positions'
const noticeAgain = 'positions again'

/** More than a process that is killed has not written yet; 6 MB. */
const mostInMemory = 64 * blockRecords

export function createPositions(options: PositionsOptions): Positions {
  const { disk, crypto, kept } = options
  const scopes = createScopeNumbers(Object.keys(kept?.fields.scopes ?? {}))
  /** Records from here on are in memory, in blocks; `after` has the digest after each whole one. */
  let base = kept?.fields.size ?? 0
  let baseDigest = kept === undefined ? noRecords : decodeHex(kept.positions, 32, 'positions')
  let blocks: Uint8Array[] = []
  let after: Uint8Array[] = []
  let size = base
  /** Records that the file has, durable and right, while it is good. */
  let written = base
  let good = true
  /** Absent for a reader, and for a ledger that is damaged: their files are left alone. */
  let remaking: Remaking | undefined
  let extending: Promise<void> = Promise.resolve()
  let remade: Promise<void> = Promise.resolve()
  /** The disk did not let it be made again: whoever extends it next tries once more. */
  let retryDue = false

  function inMemory(from: number, count: number): Uint8Array {
    const block = blocks[Math.floor((from - base) / blockRecords)] ?? new Uint8Array()
    const at = (from - base) % blockRecords
    const until = Math.min(at + Math.min(count, size - from), blockRecords)
    return block.subarray(at * recordBytes, until * recordBytes)
  }

  /** How far the file has what memory has. */
  async function compare(): Promise<void> {
    while (written < size) {
      const own = inMemory(written, size - written)
      const found = await readRecords(disk, written, own.length / recordBytes)
      const wrong = found.findIndex((byte, i) => byte !== own[i])
      written += Math.floor((wrong === -1 ? found.length : wrong) / recordBytes)
      if (wrong !== -1) {
        remaking?.notices.raise(
          notice,
          `${positionsPath} does not fit the log from record ${written} on; it is made again from there`,
        )
      }
      if (wrong !== -1 || found.length < own.length) return
    }
  }

  function distrust(): void {
    if (!good) return
    good = false
    if (remaking === undefined) return
    remaking.notices.raise(
      notice,
      `${positionsPath} does not fit the log; it is made again, and until then lists are slow`,
    )
    remade = extending.then(remake)
  }

  async function remake(): Promise<void> {
    if (remaking === undefined) return
    const { notices, cancel } = remaking
    try {
      const digest = await remakeRecords({ disk, crypto, scopes }, remaking, base)
      if (cancel.aborted) return
      if (!equalBytes(digest, baseDigest)) throw new Error('the log is not what it was')
      written = base
      good = true
      notices.clear(notice)
      notices.clear(noticeAgain)
    } catch (error) {
      retryDue = isDiskError(error)
      notices.raise(noticeAgain, `${positionsPath} cannot be made again: ${messageOf(error)}`)
    }
  }

  async function extend(): Promise<void> {
    if (!good) {
      if (retryDue) remade = remake()
      retryDue = false
      return
    }
    const goal = size
    const file = await disk.open(positionsPath, 'create')
    try {
      if ((await file.size()) > written * recordBytes) await file.truncate(written * recordBytes)
      for (let at = written; at < goal;) {
        const bytes = inMemory(at, goal - at)
        await file.write(bytes, at * recordBytes)
        at += bytes.length / recordBytes
      }
      await file.sync()
    } finally {
      await file.close()
    }
    written = goal
    remaking?.notices.clear(notice)
    forget(written)
  }

  /** Whole blocks of records before `until` are left to the file. */
  function forget(until: number): void {
    const whole = Math.floor((until - base) / blockRecords)
    baseDigest = after[whole - 1] ?? baseDigest
    blocks = blocks.slice(whole)
    after = after.slice(whole)
    base += whole * blockRecords
    written = Math.max(written, base)
  }

  return {
    get size() {
      return size
    },
    get good() {
      return good
    },
    scopes,
    add(receipt) {
      const at = (size - base) % blockRecords
      if (at === 0) blocks.push(new Uint8Array(blockBytes))
      const block = blocks.at(-1) ?? new Uint8Array()
      setPosition(block, at, positionOf(scopes, receipt))
      size++
      if (at + 1 < blockRecords) return
      after.push(nextDigest(crypto, after.at(-1) ?? baseDigest, block))
    },
    forget: () => forget(Math.max(base, size - mostInMemory)),
    digest: () => encodeHex(after.at(-1) ?? baseDigest),
    async check(by) {
      remaking = by
      try {
        const found = await digestFile(disk, crypto, base)
        if (found !== undefined && equalBytes(found, baseDigest)) await compare()
        else distrust()
      } catch (error) {
        // What cannot be read is no better than what is wrong: the log itself is there.
        if (!isDiskError(error)) throw error
        distrust()
      }
    },
    distrust,
    read: async (from, count) =>
      from < base ? readRecords(disk, from, Math.min(count, base - from)) : inMemory(from, count),
    extend() {
      // One at a time: the publisher asks, and whoever keeps the state.
      const next = extending.then(extend)
      extending = next.catch(() => undefined)
      return next
    },
    async close() {
      await extending
      await remade
    },
  }
}
