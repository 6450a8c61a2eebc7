import type { Positions } from './positions.ts'
import { recordBytes } from './position.ts'
import { getU64 } from './u64.ts'

/** Records read at once: few for a short page, then more. */
const fewRecords = 1024
const manyRecords = 32_768

/** A receipt's place in the log, and its number in its scope. */
export interface Place {
  readonly logIndex: number
  readonly seq: number
}

/** The places of a scope's receipts from log index `from` to `until`, exclusive, in order. */
export async function* placesOf(
  positions: Positions,
  scope: number,
  from: number,
  until: number,
): AsyncGenerator<Place> {
  let count = fewRecords
  for (let at = from; at < until; count = Math.min(2 * count, manyRecords)) {
    const records = await positions.read(at, Math.min(count, until - at))
    if (records.length === 0) return
    const view = new DataView(records.buffer, records.byteOffset, records.length)
    for (let i = 0; i < records.length; i += recordBytes, at++) {
      if (getU64(view, i + 8) === scope) yield { logIndex: at, seq: getU64(view, i + 16) }
    }
  }
}

/** The places of receipts whose digests begin so, before `until`, the newest first. */
export async function* placesLike(
  positions: Positions,
  [high, low]: readonly [number, number],
  until: number,
): AsyncGenerator<number> {
  for (let end = until; end > 0; end = Math.max(0, end - manyRecords)) {
    const begin = Math.max(0, end - manyRecords)
    const found: number[] = []
    for (let at = begin; at < end;) {
      const records = await positions.read(at, end - at)
      if (records.length === 0) return
      const view = new DataView(records.buffer, records.byteOffset, records.length)
      for (let i = 0; i < records.length; i += recordBytes, at++) {
        if (view.getUint32(i) === high && view.getUint32(i + 4) === low) found.push(at)
      }
    }
    yield* found.reverse()
  }
}
