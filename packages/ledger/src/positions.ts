import type { Disk } from '@helm-ai-kernel/core'
import { readFile } from './read-file.ts'
import { setU64 } from './u64.ts'
import type { Window } from './window.ts'

// Record N is of log index N: 8 bytes digest prefix · u64le scope number · u64le seq. It is made of
// the log and can be made again; a start that does not read the whole log will need it.
const path = 'ledger/positions'
const recordBytes = 24
const chunkRecords = 4096

/** The file of positions. Appends are synced, so the file never holds a gap. */
export interface Positions {
  /** Writes what the window has and the file has not. */
  extend(): Promise<void>
}

/**
 * Compares the file with the log. From the first record that differs it is written anew, and `warn`
 * hears of it when that is more than a missing end.
 */
export async function openPositions(
  disk: Disk,
  window: Window,
  warn: (message: string) => void,
): Promise<Positions> {
  const found = (await readFile(disk, path)) ?? new Uint8Array()
  const records = Math.floor(found.length / recordBytes)
  let written = 0
  while (written < Math.min(records, window.size) && isSame(written)) written++
  if (written < records) warn(`${path} did not fit the log from record ${written}: made again`)

  function isSame(record: number): boolean {
    const at = record * recordBytes
    return encode(window, record, record + 1).every((byte, i) => byte === found[at + i])
  }

  return {
    async extend() {
      const file = await disk.open(path, 'create')
      try {
        if ((await file.size()) > written * recordBytes) await file.truncate(written * recordBytes)
        const { size } = window
        for (let from = written; from < size; from += chunkRecords) {
          const to = Math.min(size, from + chunkRecords)
          await file.write(encode(window, from, to), from * recordBytes)
        }
        await file.sync()
        written = size
      } finally {
        await file.close()
      }
    },
  }
}

function encode(window: Window, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array((to - from) * recordBytes)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < to - from; i++) {
    const { prefix, scope, seq } = window.position(from + i)
    view.setUint32(i * recordBytes, prefix[0])
    view.setUint32(i * recordBytes + 4, prefix[1])
    setU64(view, i * recordBytes + 8, scope)
    setU64(view, i * recordBytes + 16, seq)
  }
  return bytes
}
