import type { Crypto, Disk, LedgerIdentity, Random, Signer } from '@helm-ai-kernel/core'
import { defaultOrigin, emptyRoot, signCheckpoint } from '@helm-ai-kernel/core/log'
import { createIdentity, writeIdentity } from './identity.ts'
import { readPublished, writePublished } from './published.ts'
import { listSegments } from './segment.ts'
import { createTip, readTip } from './tip.ts'

/** Makes an empty ledger: a checkpoint and a tip of size 0, and last, when it is whole, its identity. */
export async function makeLedger(
  disk: Disk,
  crypto: Crypto,
  random: Random,
  log: Signer,
  origin: string = defaultOrigin(crypto, log.publicKey),
): Promise<LedgerIdentity> {
  const identity = createIdentity(origin, random)
  const note = signCheckpoint({ origin, size: 0, root: emptyRoot(crypto) }, log, crypto)
  await writePublished(disk, note)
  const tip = createTip(disk, 0)
  await tip.open()
  try {
    await tip.write(note)
    await tip.sync()
  } finally {
    await tip.close()
  }
  await writeIdentity(disk, identity)
  return identity
}

/** What shows that a folder without an identity once held entries; undefined when nothing does. */
export async function findTrace(disk: Disk): Promise<string | undefined> {
  const [first] = await listSegments(disk)
  if (first !== undefined) return 'ledger/origin is missing, but there are entries'
  const heads = [...(await readTip(disk)), await readPublished(disk)]
  const covering = heads.find((head) => (head?.claim.size ?? 0) > 0)
  return covering && `ledger/origin and all entries are missing, ${covering.path} covers some`
}
