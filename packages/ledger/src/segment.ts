import { decodeHex, type Disk, encodeHex, encodeUtf8, equalBytes } from '@helm-ai-kernel/core'
import { crc32c } from './crc32c.ts'
import { type Frame, type NoFrame, readFrame } from './frame.ts'

// magic · 16 bytes ledger id · 16 bytes writer · u32le CRC-32C of these · frames
const magic = encodeUtf8('HELMWAL1')
const crcAt = magic.length + 32
export const headerBytes: number = crcAt + 4

/** Segments begin at multiples of this, and where a writer went on after a failure. */
export const segmentEntries = 256

const segmentFolder = 'ledger/wal'

export function segmentPath(first: number): string {
  return `${segmentFolder}/${String(first).padStart(16, '0')}`
}

/** Log index of a segment's first entry, from its file name; undefined for a file of another name. */
function segmentFirst(name: string): number | undefined {
  return /^\d{16}$/.test(name) ? Number(name) : undefined
}

/** Log indices at which segments begin, ascending. */
export async function listSegments(disk: Disk): Promise<readonly number[]> {
  const firsts = (await disk.list(segmentFolder)).map(segmentFirst)
  return firsts.filter((first) => first !== undefined).sort((a, b) => a - b)
}

/** The log index at which a segment that begins at `first` is full. */
export function segmentUntil(first: number): number {
  return (Math.floor(first / segmentEntries) + 1) * segmentEntries
}

/** `writer` is 16 random bytes of the process's opening of the ledger: it tells whose a segment is. */
export function segmentHeader(ledgerId: string, writer: Uint8Array): Uint8Array {
  const header = new Uint8Array(headerBytes)
  header.set(magic)
  header.set(decodeHex(ledgerId, 16, 'ledger id'), magic.length)
  header.set(writer, magic.length + 16)
  new DataView(header.buffer).setUint32(crcAt, crc32c(header, 0, crcAt), true)
  return header
}

/** How far a segment is whole. */
export interface SegmentEnd {
  /** Log index of the first entry. */
  readonly first: number
  /** Log index after the last whole entry. */
  readonly next: number
  /** Bytes up to there. */
  readonly bytes: number
  /** What stands there instead of a frame; undefined when the file ends there. */
  readonly flaw: NoFrame | undefined
}

/** Reads a segment's frames up to the first that is not whole or not in its place. */
export function readSegment(
  bytes: Uint8Array,
  first: number,
  ledgerId: string,
  visit: (frame: Frame) => void,
): SegmentEnd {
  let next = first
  const header = checkHeader(bytes, ledgerId)
  if (header !== undefined) return { first, next, bytes: 0, flaw: header }
  let at = headerBytes
  let batch = 0
  while (at < bytes.length) {
    const frame = readFrame(bytes, at)
    if (typeof frame === 'string') return { first, next, bytes: at, flaw: frame }
    const inPlace =
      frame.logIndex === next &&
      next < segmentUntil(first) &&
      frame.batch >= batch &&
      frame.batch <= next
    if (!inPlace) return { first, next, bytes: at, flaw: 'wrong' }
    visit(frame)
    next++
    at = frame.end
    batch = frame.batch
  }
  return { first, next, bytes: at, flaw: undefined }
}

/** Whether, at any byte from `from` on, a whole frame of a batch later than entry `index` begins. */
export function hasLaterBatch(bytes: Uint8Array, from: number, index: number): boolean {
  for (let at = from; at < bytes.length; at++) {
    const frame = readFrame(bytes, at)
    if (typeof frame !== 'string' && frame.batch > index && frame.batch <= frame.logIndex)
      return true
  }
  return false
}

function checkHeader(bytes: Uint8Array, ledgerId: string): NoFrame | undefined {
  if (bytes.length < headerBytes) return 'short'
  const crc = new DataView(bytes.buffer, bytes.byteOffset).getUint32(crcAt, true)
  const good =
    equalBytes(bytes.subarray(0, magic.length), magic) &&
    encodeHex(bytes.subarray(magic.length, magic.length + 16)) === ledgerId &&
    crc === crc32c(bytes, 0, crcAt)
  return good ? undefined : 'wrong'
}
