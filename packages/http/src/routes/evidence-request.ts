import { encodeUtf8, type Json, KernelError } from '@helm-ai-kernel/core'
import { maxReceipts } from '@helm-ai-kernel/core/evidence'
import { closedObject } from '../closed.ts'

/** What an export is asked for; what is absent is the whole scope in the newest published tree. */
export interface ExportRequest {
  /** Seq of the first receipt. */
  readonly from: number
  /** Seq of the last one; undefined for the last in the tree. */
  readonly to: number | undefined
  readonly treeSize: number | undefined
  /** A checkpoint that this log published, when it is not to be the newest. */
  readonly checkpoint: Uint8Array | undefined
  readonly salts: boolean
}

const members: ReadonlySet<string> = new Set(['from', 'to', 'tree_size', 'checkpoint', 'salts'])

/** Throws `REQUEST_MALFORMED`, and `TOO_LARGE` when the range has more receipts than a pack. */
export function parseExportRequest(body: Json): ExportRequest {
  const code = 'REQUEST_MALFORMED'
  const read = closedObject(body, members, { code, what: 'the request body' })
  const integer = (name: string): number | undefined => {
    const value = read.number(name)
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return value
    throw new KernelError(code, 'must be an integer from 1', { at: name })
  }
  const from = integer('from') ?? 1
  const to = integer('to')
  if (to !== undefined && to < from) {
    throw new KernelError(code, `must not be less than from, which is ${from}`, { at: 'to' })
  }
  if (to !== undefined && to - from >= maxReceipts) throw tooMany()
  const checkpoint = read.text('checkpoint')
  return {
    from,
    to,
    treeSize: integer('tree_size'),
    checkpoint: checkpoint === undefined ? undefined : encodeUtf8(checkpoint),
    salts: read.flag('salts') ?? false,
  }
}

export function tooMany(): KernelError {
  return new KernelError(
    'TOO_LARGE',
    `an evidence pack has at most ${maxReceipts} receipts: narrow the range with from and to`,
  )
}
