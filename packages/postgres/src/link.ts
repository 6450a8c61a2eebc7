import { type Clock, createCancel, KernelError, type LedgerFault } from '@helm-ai-kernel/core'
import type { Batch } from './batch.ts'
import type { Client } from './client.ts'
import { closed, errorOf, faultFrom, faultOf, isLatched } from './fault.ts'

const firstPause = 100
const longestPause = 2000
/** So long does a caller wait to hear whether its receipt was committed when the connection went. */
const patienceMs = 10_000

export interface LinkOptions {
  readonly clock: Clock
  /** Connects to a database that was checked, and whose log goes on from what is remembered. */
  readonly connect: () => Promise<Client>
  /** Whether the transaction of a batch happened after all. */
  readonly wasCommitted: (client: Client, batch: Batch) => Promise<boolean>
  /** The batch is durable. */
  readonly accept: (batch: Batch) => void
  /** Called when nothing can be written any more, and whoever waits is to hear why. */
  readonly onFault: (error: KernelError) => void
  /** Called when something can be written again. */
  readonly onReady: () => void
}

/** The connection that writes: given up at the first failure, made again in the background. */
export interface Link {
  /** Undefined while `fault` says why. */
  readonly client: Client | undefined
  readonly fault: LedgerFault | undefined
  /**
   * Gives the connection up, unless it is another one than `client` by now. Of `unknown` it must be
   * found out whether it was committed.
   */
  lose(error: unknown, what?: { readonly client?: Client; readonly unknown?: Batch }): void
  /** One attempt to connect; when it fails others follow. Throws what no waiting can mend. */
  start(): Promise<void>
  close(): Promise<void>
}

export function createLink(options: LinkOptions): Link {
  const { clock, connect, onFault } = options
  const closing = createCancel()
  let client: Client | undefined
  let fault: LedgerFault | undefined
  let unknown: Batch | undefined
  let pause = firstPause
  let isTrying = false

  async function attempt(): Promise<void> {
    const made = await connect()
    try {
      while (unknown !== undefined) await settle(made, unknown)
      made.onLost(() => {
        lose(new Error('the connection was closed'), { client: made })
      })
      if (made.lost) throw new Error('the connection was closed')
    } catch (error) {
      await made.close()
      throw error
    }
    client = made
    fault = undefined
    pause = firstPause
    if (closing.aborted) await made.close()
    options.onReady()
  }

  // INVARIANT: nothing else is appended before it is known what became of the last batch.
  async function settle(made: Client, batch: Batch): Promise<void> {
    const committed = await options.wasCommitted(made, batch)
    unknown = undefined
    if (committed) options.accept(batch)
    else rejectAll(batch, errorOf(faultOf('LEDGER_UNAVAILABLE', 'the connection was lost')))
  }

  function lose(error: unknown, what: Parameters<Link['lose']>[1] = {}): void {
    const { client: of = client, unknown: batch } = what
    if (of !== client && batch === undefined) return
    const lost = client
    client = undefined
    void lost?.close()
    if (batch !== undefined) {
      unknown = batch
      void rejectLater(batch)
    }
    report(error)
    if (!isTrying) void tryOn(0)
  }

  function report(error: unknown): void {
    if (fault === undefined || !isLatched(fault)) fault = faultFrom(error)
    onFault(errorOf(fault, error))
  }

  async function tryOn(firstWait: number): Promise<void> {
    isTrying = true
    for (let wait = firstWait; client === undefined;) {
      await clock.sleep(wait, closing)
      if (closing.aborted || (fault !== undefined && isLatched(fault))) break
      try {
        await attempt()
      } catch (error) {
        report(error)
      }
      wait = pause
      pause = Math.min(pause * 2, longestPause)
    }
    isTrying = false
  }

  async function rejectLater(batch: Batch): Promise<void> {
    await clock.sleep(patienceMs, closing)
    const detail =
      'the connection was lost while a receipt was committed, and it is not known whether it was'
    rejectAll(batch, errorOf(faultOf('LEDGER_UNAVAILABLE', detail)))
  }

  return {
    get client() {
      return client
    },
    get fault() {
      return fault
    },
    lose,
    async start() {
      try {
        await attempt()
      } catch (error) {
        if (isFinal(error)) throw error
        report(error)
        void tryOn(pause)
      }
    },
    async close() {
      closing.abort()
      const last = client
      client = undefined
      fault ??= closed
      await last?.close()
    },
  }
}

/** What was acknowledged or rejected before stays so. */
function rejectAll({ waiting }: Batch, error: KernelError): void {
  for (const { reject } of waiting) reject(error)
}

/** A configuration that no waiting corrects. */
function isFinal(error: unknown): error is KernelError {
  return error instanceof KernelError && !error.code.startsWith('LEDGER_')
}
