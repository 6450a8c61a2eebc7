import type { Disk, File } from '@helm-ai-kernel/core'
import { type Head, readHead } from './head.ts'
import { readFile } from './read-file.ts'

export const tipPath = 'ledger/tip'

/** A slot is a block of its own, so that writing one cannot tear the other. */
const slotBytes = 4096

/** The file of the newest heads that the writer vouched for: two slots, written in turn. */
export interface Tip {
  open(): Promise<void>
  /** Writes the slot that is not the newest. */
  write(note: Uint8Array): Promise<void>
  /** Makes it durable, and so the newest. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** `slot` is the one to write first: 0 or 1. */
export function createTip(disk: Disk, slot: number): Tip {
  let file: File | undefined
  let next = slot
  return {
    async open() {
      file = await disk.open(tipPath, 'create')
      // A killed process may have left a slot that can be read, but that no sync has reached.
      await file.sync()
    },
    async write(note) {
      const block = new Uint8Array(slotBytes)
      block.set(note)
      await file?.write(block, next * slotBytes)
    },
    async sync() {
      await file?.sync()
      // INVARIANT: only a slot that is durable lets the other one be overwritten.
      next = 1 - next
    },
    async close() {
      const closing = file
      file = undefined
      await closing?.close()
    },
  }
}

/** The head in each slot, as far as it can be read. */
export async function readTip(disk: Disk): Promise<readonly (Head | undefined)[]> {
  return (await readSlots(disk)).map((note) => note && readHead(tipPath, note))
}

/** The bytes in each slot; undefined where nothing was ever written. */
export async function readSlots(disk: Disk): Promise<readonly (Uint8Array | undefined)[]> {
  const bytes = (await readFile(disk, tipPath, 2 * slotBytes)) ?? new Uint8Array()
  return [0, 1].map((slot) => {
    const block = bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes)
    if (block.every((byte) => byte === 0)) return undefined
    const zero = block.indexOf(0)
    return zero === -1 ? block : block.subarray(0, zero)
  })
}
