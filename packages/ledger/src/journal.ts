import { type Disk, type File, type Held, KernelError } from '@helm-ai-kernel/core'
import { all } from './all.ts'
import type { Batch, Part } from './batch.ts'
import type { LogEnd } from './read-log.ts'
import { headerBytes, listSegments, segmentPath, segmentUntil } from './segment.ts'
import type { Tip } from './tip.ts'

/** The end of the log on disk: the segment that is being written, and the tip. */
export interface Journal {
  /** Whether it may be written to. */
  readonly ready: boolean
  /**
   * Cuts away what was never acknowledged and makes the rest durable; then goes on in the last
   * segment or, after a failure, in a fresh one.
   */
  start(fresh: boolean): Promise<void>
  /** Throws `LEDGER_LOCKED` when somebody else has the lock or wrote to the segment. */
  guard(): Promise<void>
  /** Writes a batch, and the note of the tree before it. */
  write(batch: Batch, note: Uint8Array): Promise<void>
  /** Makes both durable. */
  sync(batch: Batch): Promise<void>
  /** Removes the segments that begin before a log index: their entries are in tiles. */
  retire(before: number): Promise<void>
  stop(): Promise<void>
}

interface OpenSegment {
  readonly first: number
  readonly file: File
  bytes: number
}

/** `header` begins each segment; `end` is where the log ended when it was read. */
export function createJournal(
  disk: Disk,
  held: Held,
  tip: Tip,
  header: Uint8Array,
  end: LogEnd,
): Journal {
  /** Acknowledged bytes of each segment by its first log index; those without an entry not yet. */
  const durable = new Map(
    end.segments
      .filter(({ first, next }) => next > first)
      .map(({ first, bytes }) => [first, bytes]),
  )
  let size = end.size
  let ready = false
  /** Oldest first; the last one is being written, those before it are closed by the next sync. */
  let open: OpenSegment[] = []

  async function begin(first: number): Promise<OpenSegment> {
    const segment = { first, file: await disk.open(segmentPath(first), 'create'), bytes: 0 }
    open.push(segment)
    await compareSize(segment)
    await segment.file.write(header, 0)
    segment.bytes = headerBytes
    return segment
  }

  async function cut(): Promise<void> {
    for (const first of await listSegments(disk)) {
      if (!durable.has(first)) await disk.remove(segmentPath(first))
    }
    // A process that was killed may have left whole entries that no sync has reached: those of one
    // batch, so in the last two segments at most.
    for (const [first, bytes] of [...durable].slice(-2)) {
      let file: File
      try {
        file = await disk.open(segmentPath(first), 'write')
      } catch (error) {
        // Retired meanwhile: its entries are in tiles.
        if (!durable.has(first)) continue
        throw error
      }
      open.push({ first, file, bytes })
      if ((await file.size()) > bytes) await file.truncate(bytes)
      await file.sync()
    }
    for (const { file } of open.splice(0, open.length - 1)) await file.close()
  }

  async function writeParts(parts: readonly Part[]): Promise<void> {
    for (const { first, frames } of parts) {
      const last = open.at(-1)
      const isFull = last === undefined || first === segmentUntil(last.first)
      const segment = isFull ? await begin(first) : last
      const bytes = frames.bytes()
      await segment.file.write(bytes, segment.bytes)
      segment.bytes += bytes.length
    }
  }

  async function stop(): Promise<void> {
    ready = false
    const closing = [...open.map(({ file }) => file), tip]
    open = []
    await Promise.allSettled(closing.map((one) => one.close()))
  }

  return {
    get ready() {
      return ready
    },
    async start(fresh) {
      await stop()
      await held.check()
      await cut()
      if (fresh) await (await begin(size)).file.sync()
      await tip.open()
      ready = true
    },
    async guard() {
      await all([held.check(), ...open.map(compareSize)])
    },
    write: (batch, note) => all([writeParts(batch.parts), tip.write(note)]),
    async sync({ receipts }) {
      await all([...open.map(({ file }) => file.sync()), tip.sync()])
      // INVARIANT: only what was synced is acknowledged; a failure cuts back to here.
      for (const { first, bytes } of open) durable.set(first, bytes)
      size += receipts.length
      const full = open.slice(0, -1)
      open = open.slice(-1)
      // Everything in them is durable: a close that fails changes nothing.
      await Promise.allSettled(full.map(({ file }) => file.close()))
    },
    async retire(before) {
      const retired = (await listSegments(disk)).filter((first) => first < before)
      for (const first of retired) durable.delete(first)
      await all(retired.map((first) => disk.remove(segmentPath(first))))
    },
    stop,
  }
}

async function compareSize({ first, file, bytes }: OpenSegment): Promise<void> {
  if ((await file.size()) === bytes) return
  throw new KernelError(
    'LEDGER_LOCKED',
    `${segmentPath(first)} has not the size that this process gave it: another one writes there`,
  )
}
