import {
  type Clock,
  decodeJson,
  encodeUtf8,
  isKernelError,
  KernelError,
  messageOf,
} from '@helm-ai-kernel/core'
import type { Given } from './command.ts'
import { eventsIn } from './event-stream.ts'
import type { Io } from './io.ts'
import { kernelClient, type Query } from './kernel-client.ts'
import { print, table } from './print.ts'
import { receiptRow } from './receipt-rows.ts'

export interface TailOptions {
  /** Of the command, for its messages. */
  readonly name: string
  readonly query: Query
  readonly clock: Pick<Clock, 'sleep'>
  readonly cancel: AbortSignal
  /** How long a kernel may say nothing, in ms; it has a heartbeat every 15 s. */
  readonly silence?: number
}

const firstPause = 1_000
const longestPause = 30_000

/** Trouble that may pass; whatever else a kernel answers, it will answer again. */
const passing: ReadonlySet<string> = new Set([
  ...['KERNEL_UNREACHABLE', 'OVERLOADED', 'RATE_LIMITED', 'REQUEST_TIMEOUT', 'INTERNAL'],
  ...['LEDGER_UNAVAILABLE', 'LEDGER_FULL', 'LEDGER_TRUNCATED', 'LEDGER_CORRUPT'],
])

/**
 * Prints receipts as a kernel records them, until `cancel`. A broken connection is made again, and no
 * receipt is lost or printed twice by it. Throws what is wrong with the first one.
 */
export async function tailReceipts(given: Given, io: Io, options: TailOptions): Promise<void> {
  const { name, query, clock, cancel, silence = 45_000 } = options
  const isOver = (): boolean => cancel.aborted
  const widths: number[] = []
  let last: string | undefined
  for (let pause = firstPause; !isOver(); pause = Math.min(pause * 2, longestPause)) {
    const error = await follow(() => (pause = firstPause))
    if (isOver()) return
    if (last === undefined || !passing.has(error.code)) throw error
    print(io, 'stderr', [`warning ${error.message}; connecting again in ${pause / 1000} s`])
    await clock.sleep(pause, cancel)
  }

  /** Why the connection ended. */
  async function follow(connected: () => void): Promise<KernelError> {
    const silent = new AbortController()
    const tooLong = (): void => silent.abort()
    let timer = setTimeout(tooLong, silence)
    try {
      // Made anew, so that a key that was replaced is read.
      const client = await kernelClient(name, given, io)
      const body = await client.stream('/api/v1/receipts/tail', {
        query,
        headers: last === undefined ? {} : { 'last-event-id': last },
        cancel: AbortSignal.any([cancel, silent.signal]),
      })
      for await (const { event, id, data } of eventsIn(body)) {
        connected()
        clearTimeout(timer)
        timer = setTimeout(tooLong, silence)
        if (event === 'receipt' && data !== undefined) show(data)
        last = id
      }
      return broken('the kernel ended the stream')
    } catch (error) {
      if (silent.signal.aborted) return broken(`nothing was heard for ${silence / 1000} s`)
      return isKernelError(error) ? error : broken(`the connection broke: ${messageOf(error)}`)
    } finally {
      clearTimeout(timer)
    }
  }

  function broken(why: string): KernelError {
    return new KernelError('KERNEL_UNREACHABLE', why)
  }

  function show(data: string): void {
    const limits = { maxBytes: 1 << 20, code: 'KERNEL_UNREACHABLE', what: 'an event' } as const
    const receipt = decodeJson(encodeUtf8(data), limits)
    const json = given.flags.has('json')
    print(io, 'stdout', json ? [JSON.stringify(receipt)] : table([receiptRow(receipt)], widths))
  }
}
