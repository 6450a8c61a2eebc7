import { type Digest, digestOf } from '../bytes/digest.ts'
import { sha256Sliced } from '../crypto/sliced.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Members } from './member.ts'
import { inTurns, type Pause } from './pause.ts'

/** The digest of each member by its name, sorted by name. */
export async function digestMembers(
  crypto: Crypto,
  members: Members,
  pause: Pause,
): Promise<ReadonlyMap<string, Digest>> {
  const digests = new Map<string, Digest>()
  for (const [name, bytes] of [...members].sort(([a], [b]) => (a < b ? -1 : 1))) {
    digests.set(name, digestOf(await inTurns(sha256Sliced(crypto, bytes), pause)))
    await pause()
  }
  return digests
}
