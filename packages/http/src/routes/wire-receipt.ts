import type { Stored } from '@helm-ai-kernel/core'

/** What was signed, and where it stands; with `entry` also the envelope that proves it. */
export function wireReceipt(
  { statement, receiptId, logIndex, entry }: Stored,
  withEntry: boolean,
): Readonly<Record<string, unknown>> {
  return {
    ...statement,
    receipt_id: receiptId,
    log_index: logIndex,
    ...(withEntry && { entry: JSON.parse(new TextDecoder().decode(entry)) as unknown }),
  }
}
