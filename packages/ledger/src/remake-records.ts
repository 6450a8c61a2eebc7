import type { Cancel, Crypto, Disk, Stored } from '@helm-ai-kernel/core'
import type { Notices } from './notices.ts'
import {
  blockBytes,
  blockRecords,
  nextDigest,
  noRecords,
  positionOf,
  positionsPath,
  recordBytes,
  type ScopeNumbers,
  setPosition,
} from './position.ts'

/** What it takes to make the file of positions again, beside everything else. */
export interface Remaking {
  readonly notices: Notices
  /** The first `count` receipts of the log, at a gentle pace. */
  readonly receipts: (count: number) => AsyncIterable<Stored>
  readonly cancel: Cancel
}

/** Writes the first `count` records, a whole number of blocks, from the log; gives their digest. */
export async function remakeRecords(
  target: { readonly disk: Disk; readonly crypto: Crypto; readonly scopes: ScopeNumbers },
  { receipts, cancel }: Remaking,
  count: number,
): Promise<Uint8Array> {
  const { disk, crypto, scopes } = target
  let digest = noRecords
  let block = new Uint8Array(blockBytes)
  const file = await disk.open(positionsPath, 'create')
  try {
    for await (const receipt of receipts(count)) {
      if (cancel.aborted) break
      const next = receipt.logIndex + 1
      setPosition(block, receipt.logIndex % blockRecords, positionOf(scopes, receipt))
      if (next % blockRecords !== 0) continue
      await file.write(block, next * recordBytes - blockBytes)
      digest = nextDigest(crypto, digest, block)
      block = new Uint8Array(blockBytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return digest
}
