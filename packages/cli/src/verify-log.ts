import { KernelError, type Tiles } from '@helm-ai-kernel/core'
import {
  claimedCheckpoint,
  decodeEntries,
  tilePath,
  tileWidth,
  tileWidthAt,
} from '@helm-ai-kernel/core/log'
import { type AuditOptions, type AuditResult, createAudit } from '@helm-ai-kernel/core/receipt'

/** What else to hold the log against, as in `AuditOptions`. */
export interface VerifyLogOptions extends Omit<AuditOptions, 'identity'> {
  /** Told of how many entries are verified, now and then, and of how many there are. */
  readonly progress?: (entries: number, of: number) => void
}

/**
 * Verifies a log from outside: every entry that its newest checkpoint covers, wherever the kernel keeps
 * them. Throws `NOT_FOUND` before the first checkpoint, and `PROOF_INVALID` when entries are missing.
 */
export async function verifyLog(tiles: Tiles, options: VerifyLogOptions): Promise<AuditResult> {
  const note = await tiles.checkpoint()
  if (note === undefined) throw new KernelError('NOT_FOUND', 'the kernel has no checkpoint yet')
  const { size } = claimedCheckpoint(note)
  const checkpoints = [{ name: 'checkpoint', note }, ...(options.checkpoints ?? [])]
  const audit = createAudit({ parallel: true, ...options, checkpoints })
  for (let first = 0, index = 0; first < size; first += tileWidth, index++) {
    const width = tileWidthAt(size, 'entries', index)
    const tile = { level: 'entries', index, width } as const
    const bytes = await tiles.tile(tile)
    const entries = bytes && decodeEntries(bytes)
    if (entries?.length !== width) {
      throw new KernelError('PROOF_INVALID', `the log does not give ${tilePath(tile)} whole`)
    }
    for (const entry of entries) audit.add(entry)
    await audit.settled()
    options.progress?.(first + width, size)
  }
  return audit.finish()
}
