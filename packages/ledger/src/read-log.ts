import type { Disk } from '@helm-ai-kernel/core'
import type { Frame } from './frame.ts'
import { readFile } from './read-file.ts'
import {
  hasLaterBatch,
  readSegment,
  type SegmentEnd,
  segmentFirst,
  segmentFolder,
  segmentPath,
} from './segment.ts'

/** How far a log is whole. */
export interface LogEnd {
  /** Whole entries, from log index 0 without a gap. */
  readonly size: number
  /** The segments that hold them, in order. */
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

/** Log indices at which segments begin, ascending. */
export async function listSegments(disk: Disk): Promise<readonly number[]> {
  const firsts = (await disk.list(segmentFolder)).map(segmentFirst)
  return firsts.filter((first) => first !== undefined).sort((a, b) => a - b)
}

/**
 * Reads the whole log in order. Changes nothing, so it may run while another process writes: then the
 * end may look torn, but heads that were read before are reached.
 */
export async function readLog(
  disk: Disk,
  ledgerId: string,
  visit: (frame: Frame) => void,
): Promise<LogEnd> {
  const segments: SegmentEnd[] = []
  let size = 0
  const firsts = await listSegments(disk)
  for (const [i, first] of firsts.entries()) {
    const path = segmentPath(first)
    const bytes = first === size ? await readFile(disk, path) : undefined
    const end = bytes && readSegment(bytes, first, ledgerId, visit)
    if (end !== undefined && end.bytes > 0) segments.push(end)
    size = end?.next ?? size
    if (end !== undefined && end.flaw === undefined) continue
    const corrupt = await isFollowed(disk, firsts.slice(i), end?.bytes ?? 0, size)
    return {
      size,
      segments,
      flaw: {
        kind: corrupt ? 'corrupt' : 'torn',
        detail: `${describe(path, end, size)}${corrupt ? ', and later batches follow' : ''}`,
        damaged: end?.flaw === 'wrong',
      },
    }
  }
  return { size, segments, flaw: undefined }
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

function describe(path: string, end: SegmentEnd | undefined, size: number): string {
  if (end === undefined) return `the log ends at entry ${size}, before ${path}`
  const what = end.flaw === 'wrong' ? 'has damaged bytes' : 'ends too soon'
  return `${path} ${what} at byte ${end.bytes}, where entry ${size} belongs`
}
