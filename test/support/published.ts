import type { ReceiptStore, Tiles } from '@helm-ai-kernel/core'
import { leafHash, signCheckpoint } from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { kernelSigner } from './kernel.ts'
import { naiveRoot, tilesOf } from './tree.ts'

export const logOrigin = 'kernel.example/log'

/** A log that publishes what is in a store when it is told to. */
export interface PublishedLog extends Tiles {
  /** Publishes a checkpoint of the first `size` receipts; of all of them when absent. */
  publish(size?: number): Promise<Uint8Array>
}

export function publishedLog(store: ReceiptStore): PublishedLog {
  let note: Uint8Array | undefined
  const entriesOf = async (size: number) => (await store.read(0, size)).map(({ entry }) => entry)
  const hashes = (entries: readonly Uint8Array[]) => entries.map((entry) => leafHash(crypto, entry))
  return {
    checkpoint: async () => note,
    async tile(tile) {
      const entries = await entriesOf((await store.state()).size)
      return tilesOf(hashes(entries), entries).tile(tile)
    },
    async publish(size) {
      const entries = await entriesOf(size ?? (await store.state()).size)
      const root = naiveRoot(hashes(entries))
      const head = { origin: logOrigin, size: entries.length, root }
      note = signCheckpoint(head, kernelSigner.log, crypto)
      return note
    },
  }
}
