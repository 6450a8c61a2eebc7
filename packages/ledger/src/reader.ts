import { type Crypto, type Disk, KernelError, type Stored } from '@helm-ai-kernel/core'
import { storedEntry } from './chain.ts'
import { readFile } from './read-file.ts'
import { readSegment, segmentPath } from './segment.ts'

/** Reads one receipt that is known to be in the log. Throws `LEDGER_CORRUPT`. */
export type Reader = (logIndex: number) => Promise<Stored>

/** A reader for one pass: it keeps the segment that it read last. `segments` is asked each time. */
export function createReader(
  disk: Disk,
  crypto: Crypto,
  ledgerId: string,
  segments: () => readonly number[],
): Reader {
  let first = 0
  let entries: Uint8Array[] = []

  async function load(logIndex: number): Promise<void> {
    first = segments().findLast((begin) => begin <= logIndex) ?? 0
    entries = []
    const bytes = await readFile(disk, segmentPath(first))
    if (bytes !== undefined) readSegment(bytes, first, ledgerId, ({ entry }) => entries.push(entry))
  }

  return async (logIndex) => {
    if (entries[logIndex - first] === undefined) await load(logIndex)
    const entry = entries[logIndex - first]
    if (entry === undefined) {
      throw new KernelError(
        'LEDGER_CORRUPT',
        `entry ${logIndex} cannot be read from ${segmentPath(first)}; run \`ledger verify\``,
      )
    }
    return storedEntry(crypto, logIndex, entry.slice())
  }
}
