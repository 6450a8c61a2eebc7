import type { Disk } from '@helm-ai-kernel/core'
import { readFile } from './read-file.ts'
import { setU64 } from './u64.ts'
import type { Window } from './window.ts'

// Record N is of log index N: 8 bytes digest prefix · u64le scope number · u64le seq. It is made of
// the log and can be made again; a start that does not read the whole log will need it.
const path = 'ledger/positions'
const recordBytes = 24
const chunkRecords = 4096

/** The file of positions. */
export interface Positions {
  /** Writes what the window has and the file has not, and syncs it. */
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
  let good = countGood(found, window)
  if (good < Math.floor(found.length / recordBytes)) {
    warn(`${path} does not fit the log from record ${good} on; it is made again from there`)
  }
  return {
    async extend() {
      const file = await disk.open(path, 'create')
      try {
        if ((await file.size()) > good * recordBytes) await file.truncate(good * recordBytes)
        const { size } = window
        for (const [from, to] of chunks(good, size)) {
          await file.write(encode(window, from, to), from * recordBytes)
        }
        await file.sync()
        good = size
      } finally {
        await file.close()
      }
    },
  }
}

/** How many records, from the first, are as the log says. */
function countGood(found: Uint8Array, window: Window): number {
  const records = Math.min(Math.floor(found.length / recordBytes), window.size)
  for (const [from, to] of chunks(0, records)) {
    const wrong = encode(window, from, to).findIndex(
      (byte, i) => byte !== found[from * recordBytes + i],
    )
    if (wrong !== -1) return from + Math.floor(wrong / recordBytes)
  }
  return records
}

function* chunks(from: number, to: number): Generator<readonly [from: number, to: number]> {
  for (let at = from; at < to; at += chunkRecords) yield [at, Math.min(to, at + chunkRecords)]
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
