import { type Crypto, type Disk, equalBytes, isKernelError } from '@helm-ai-kernel/core'
import { leafHash, tileWidth } from '@helm-ai-kernel/core/log'
import { countTiled } from './count-tiled.ts'
import { readFile } from './read-file.ts'
import {
  hasLaterBatch,
  listSegments,
  readSegment,
  type SegmentEnd,
  segmentPath,
} from './segment.ts'
import { readBundle, readHashes, type Stretch, tileFile } from './tile-file.ts'
import type { Tower } from './tower.ts'

/** How far a log is whole. */
export interface LogEnd {
  /** Whole entries, from log index 0 without a gap. */
  readonly size: number
  /** Full tiles of entries that stand for segments that are gone. */
  readonly tiled: number
  /** The segments that hold the entries after these, in order. */
  readonly segments: readonly SegmentEnd[]
  /** What follows them and is no part of the log; undefined when nothing does. */
  readonly flaw: Flaw | undefined
}

export interface Flaw {
  /**
   * `torn`: the end of a batch that never became durable, as a power cut may leave it.
   * `corrupt`: a later batch follows, so what is missing or wrong here was durable once.
   */
  readonly kind: 'torn' | 'corrupt'
  /** What is wrong and where. */
  readonly detail: string
  /** Whether bytes are wrong, and not only missing. */
  readonly damaged: boolean
}

export interface LogSource {
  readonly disk: Disk
  readonly crypto: Crypto
  readonly ledgerId: string
}

/** Takes entries in log order; the next ones are read when it is done. */
export type Visit = (stretch: Stretch) => void | Promise<void>

/** A writer that makes tiles of segments beside a reader is this often faster, at most. */
const maxAttempts = 16

/**
 * Reads the log in order, from where the tower stands: each entry from the segment that begins there,
 * else from its tile. The tower grows, and the tiles of hashes are compared with it; those that must be
 * in files are released. Changes nothing, so it may run while another process writes: then the end may
 * look torn, but heads that were read before are reached.
 */
export async function readLog(source: LogSource, tower: Tower, visit: Visit): Promise<LogEnd> {
  for (let attempt = 1; ; attempt++) {
    const firsts = await listSegments(source.disk)
    const tiled = await countTiled(source.disk, firsts[0])
    const end = await readOnce(source, tower, { firsts, tiled }, visit)
    if (end !== 'vanished') return { ...end, size: tower.size, tiled }
    if (attempt < maxAttempts) continue
    const flaw = corrupt('segments vanish faster than they can be read')
    return { size: tower.size, tiled, segments: [], flaw }
  }
}

interface Listing {
  /** Log indices at which segments begin. */
  readonly firsts: readonly number[]
  readonly tiled: number
}

async function readOnce(
  source: LogSource,
  tower: Tower,
  { firsts, tiled }: Listing,
  visit: Visit,
): Promise<Pick<LogEnd, 'segments' | 'flaw'> | 'vanished'> {
  const { disk, crypto, ledgerId } = source
  const segments: SegmentEnd[] = []
  const unread = new Set(firsts.filter((first) => first >= tiled * tileWidth))
  for (;;) {
    const first = tower.size
    if (!unread.delete(first)) {
      const found = await readTile(source, tower, tiled, visit)
      if (found === 'none') break
      if (found !== 'good') return { segments, flaw: found }
      continue
    }
    const bytes = await readFile(disk, segmentPath(first))
    if (bytes === undefined) return 'vanished'
    const entries: Uint8Array[] = []
    const end = readSegment(bytes, first, ledgerId, ({ entry }) => entries.push(entry))
    if (end.bytes > 0) segments.push(end)
    await take({ first, entries, leaves: entries.map((e) => leafHash(crypto, e)) }, tower, visit)
    if (end.flaw === undefined) continue
    return { segments, flaw: await flawIn(disk, end, firsts, tower.size) }
  }
  const { size } = tower
  const next = firsts.find((first) => first > size)
  if (next === undefined) return { segments, flaw: undefined }
  const path = tileFile('entries', Math.floor(size / tileWidth))
  const flaw =
    size < tiled * tileWidth
      ? corrupt(`${path} is missing, and later entries are there`)
      : await flawBefore(disk, next, firsts, size)
  return { segments, flaw }
}

/** Reads the tile that has the next entry; or says that there is none, or what is wrong with it. */
export async function readTile(
  { disk, crypto }: LogSource,
  tower: Tower,
  tiled: number,
  visit: Visit,
): Promise<'good' | 'none' | Flaw> {
  const index = Math.floor(tower.size / tileWidth)
  const known = tower.full.length
  try {
    const bundle = await readBundle(disk, crypto, index)
    if (bundle === undefined) return 'none'
    await take(bundle, tower, visit)
    for (const { level, index: at, hashes } of tower.full.slice(known)) {
      const found = await readHashes(disk, level, at)
      const path = tileFile(level, at)
      if (found === undefined) return corrupt(`${path} is missing`)
      if (!equalBytes(found, hashes)) {
        return corrupt(`${path} is not made of the entries that it is over`)
      }
    }
    if (index < tiled) tower.release(tower.full.length)
    return 'good'
  } catch (error) {
    if (isKernelError(error, 'LEDGER_CORRUPT')) return corrupt(error.message)
    throw error
  }
}

/** Gives what the tower does not have yet. */
async function take({ first, entries, leaves }: Stretch, tower: Tower, visit: Visit) {
  const known = tower.size - first
  const fresh = { first: tower.size, entries: entries.slice(known), leaves: leaves.slice(known) }
  for (const leaf of fresh.leaves) tower.append(leaf)
  if (fresh.entries.length > 0) await visit(fresh)
}

/** What it means that a segment is not whole. */
async function flawIn(
  disk: Disk,
  { first, bytes, flaw }: SegmentEnd,
  firsts: readonly number[],
  size: number,
): Promise<Flaw> {
  const what = flaw === 'wrong' ? 'has damaged bytes' : 'ends too soon'
  const detail = `${segmentPath(first)} ${what} at byte ${bytes}, where entry ${size} belongs`
  const later = firsts.filter((one) => one >= first)
  return flawOf(detail, await isFollowed(disk, later, bytes, size), flaw === 'wrong')
}

/** What it means that the log goes on in a segment, but not there. */
async function flawBefore(
  disk: Disk,
  next: number,
  firsts: readonly number[],
  size: number,
): Promise<Flaw> {
  const detail = `the log ends at entry ${size}, before ${segmentPath(next)}`
  const later = firsts.filter((one) => one >= next)
  return flawOf(detail, await isFollowed(disk, later, 0, size), false)
}

function flawOf(detail: string, followed: boolean, damaged: boolean): Flaw {
  return followed
    ? { kind: 'corrupt', detail: `${detail}, and later batches follow`, damaged }
    : { kind: 'torn', detail, damaged }
}

/** Whether a whole frame of a batch later than entry `size` is anywhere after the place given. */
async function isFollowed(
  disk: Disk,
  [first, ...rest]: readonly number[],
  from: number,
  size: number,
): Promise<boolean> {
  if (first === undefined) return false
  const bytes = await readFile(disk, segmentPath(first))
  return (
    (bytes !== undefined && hasLaterBatch(bytes, from, size)) ||
    (await isFollowed(disk, rest, 0, size))
  )
}

function corrupt(detail: string): Flaw {
  return { kind: 'corrupt', detail, damaged: true }
}
