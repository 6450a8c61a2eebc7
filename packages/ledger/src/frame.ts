import { crc32c } from './crc32c.ts'
import { getU64, setU64 } from './u64.ts'

// u32le length of the entry · u32le CRC-32C of all that follows · u64le log index · u64le batch · entry
const headBytes = 24
const checkedFrom = 8
const maxEntryBytes = 65_535

/** One entry in a segment. */
export interface Frame {
  readonly logIndex: number
  /**
   * Log index of the first entry that was written together with this one. A batch is written only
   * after the one before is durable, so a whole frame proves that all before its batch was durable.
   */
  readonly batch: number
  /** A view of the segment's bytes. */
  readonly entry: Uint8Array
  /** Where the next frame begins. */
  readonly end: number
}

/** Why there is no frame: the bytes end too soon, or they are wrong. */
export type NoFrame = 'short' | 'wrong'

export function readFrame(bytes: Uint8Array, at: number): Frame | NoFrame {
  if (bytes.length - at < headBytes) return 'short'
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, headBytes)
  const length = view.getUint32(0, true)
  const end = at + headBytes + length
  if (length === 0 || length > maxEntryBytes) return 'wrong'
  if (end > bytes.length) return 'short'
  if (crc32c(bytes, at + checkedFrom, end) !== view.getUint32(4, true)) return 'wrong'
  const logIndex = getU64(view, 8)
  const batch = getU64(view, 16)
  return { logIndex, batch, entry: bytes.subarray(at + headBytes, end), end }
}

/** Frames in the making, in one growing piece of memory. */
export interface Frames {
  append(logIndex: number, batch: number, entry: Uint8Array): void
  bytes(): Uint8Array
}

export function createFrames(): Frames {
  let bytes = new Uint8Array(32 * 1024)
  let view = new DataView(bytes.buffer)
  let at = 0
  return {
    append(logIndex, batch, entry) {
      const end = at + headBytes + entry.length
      if (end > bytes.length) {
        const larger = new Uint8Array(Math.max(end, bytes.length * 2))
        larger.set(bytes)
        bytes = larger
        view = new DataView(bytes.buffer)
      }
      view.setUint32(at, entry.length, true)
      setU64(view, at + 8, logIndex)
      setU64(view, at + 16, batch)
      bytes.set(entry, at + headBytes)
      view.setUint32(at + 4, crc32c(bytes, at + checkedFrom, end), true)
      at = end
    },
    bytes: () => bytes.subarray(0, at),
  }
}
