import { type Clock, createCancel } from '@helm-ai-kernel/core'
import type { Client } from './client.ts'
import type { Schema } from './schema.ts'

const everyMs = 1000

export interface PulseOptions {
  readonly clock: Clock
  readonly schema: Schema
  /** A connection of its own, on which the database says that something was appended. */
  readonly connect: () => Promise<Client>
  /** Looks at the tip; resolves to the size of the log. */
  readonly look: () => Promise<number>
}

/** Looks at the database every second, and as soon as it tells of an append by whomever. */
export interface Pulse {
  /** Something was appended: whoever watches is told, once for each size. */
  announce(size: number): void
  watch(listener: () => void): () => void
  start(): void
  close(): Promise<void>
}

export function createPulse({ clock, schema, connect, look }: PulseOptions): Pulse {
  const listeners = new Set<() => void>()
  const closing = createCancel()
  let announced = 0
  let client: Client | undefined
  let next = createCancel()

  function announce(size: number): void {
    if (size <= announced) return
    announced = size
    for (const listener of listeners) {
      try {
        listener()
      } catch {
        // Whoever watches must not decide what becomes of a batch.
      }
    }
  }

  async function beat(): Promise<void> {
    while (!closing.aborted) {
      // Made first: what is told while the database is looked at ends the next sleep.
      next = createCancel()
      const stop = (): void => next.abort()
      closing.addEventListener('abort', stop)
      try {
        await listen()
        announce(await look())
      } catch {
        // `look` has told whom it concerns; the next beat tries again.
      }
      await clock.sleep(everyMs, next)
      closing.removeEventListener('abort', stop)
    }
  }

  /** Only for whoever watches; without them, and when it fails, the beat is all there is. */
  async function listen(): Promise<void> {
    if (listeners.size === 0 || client?.lost === false) return
    const made = await connect()
    try {
      made.onNotify(() => next.abort())
      await made.run({ text: `LISTEN ${schema.channel}` })
      if (!closing.aborted) client = made
    } finally {
      if (client !== made) await made.close()
    }
  }

  return {
    announce,
    watch(listener) {
      // One function given twice is two listeners.
      const own = (): void => listener()
      listeners.add(own)
      next.abort()
      return () => void listeners.delete(own)
    },
    start: () => void beat(),
    async close() {
      closing.abort()
      await client?.close()
    },
  }
}
