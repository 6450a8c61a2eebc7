import { type Clock, createCancel, type Disk, type Held } from '@helm-ai-kernel/core'
import type { Edge } from './batch.ts'
import { messageOf } from './fault.ts'
import type { Head } from './head.ts'
import type { Notices } from './notices.ts'
import type { Positions } from './positions.ts'
import { writePublished } from './published.ts'

export interface PublisherOptions {
  readonly disk: Disk
  readonly held: Held
  readonly clock: Clock
  /** Least time between two checkpoints, ms. */
  readonly interval: number
  readonly positions: Positions
  /** The tree of everything acknowledged. */
  readonly edge: () => Edge
  /** Signs the head of a tree. */
  readonly sign: (edge: Edge) => Uint8Array
  /** Whether the key that signs heads is the log's: a kernel may be given another, and is then told. */
  readonly isOwn: () => boolean
  readonly published: Head | undefined
  readonly notices: Notices
}

/** Keeps the checkpoint file, and the file of positions, not far behind the log. */
export interface Publisher {
  readonly checkpoint: () => Uint8Array | undefined
  /** There is something new: it is published when the interval is over. */
  readonly touch: () => void
  /** Publishes now, after what is under way. */
  readonly publish: () => Promise<void>
  /** Publishes for the last time; a failure is a warning, for the tip covers the log. */
  readonly close: () => Promise<void>
}

const notice = 'checkpoint'

export function createPublisher(options: PublisherOptions): Publisher {
  const { disk, held, clock, interval, positions, edge, sign, isOwn, notices } = options
  const closing = createCancel()
  let note = options.published?.note
  let size = options.published?.claim.size
  let last = -Infinity
  let underWay: Promise<void> = Promise.resolve()
  let awaited = false
  let failed = false

  async function write(): Promise<void> {
    last = clock.monotonic()
    // Not over the checkpoint of somebody who took the lock.
    await held.check()
    const head = edge()
    if (head.size !== size && isOwn()) {
      const signed = sign(head)
      await writePublished(disk, signed)
      note = signed
      size = head.size
    }
    await positions.extend()
  }

  function publish(): Promise<void> {
    const writing = underWay.then(write)
    underWay = writing.catch(() => undefined)
    return writing
  }

  async function publishOrWarn(): Promise<void> {
    try {
      await publish()
      failed = false
      notices.clear(notice)
    } catch (error) {
      notices.raise(notice, `the checkpoint is not published: ${messageOf(error)}`)
      failed = true
    }
  }

  async function publishLater(): Promise<void> {
    awaited = true
    await clock.sleep(Math.max(0, last + interval - clock.monotonic()), closing)
    awaited = false
    if (closing.aborted) return
    await publishOrWarn()
    if (failed) touch()
  }

  function touch(): void {
    if (!awaited && !closing.aborted) void publishLater()
  }

  return {
    checkpoint: () => note,
    touch,
    publish,
    async close() {
      closing.abort()
      await publishOrWarn()
    },
  }
}
