import { decodeHex } from '@helm-ai-kernel/core'
import { maxPackBytes, verifyPack } from '@helm-ai-kernel/core/evidence'
import { readTar } from '../limits/body.ts'
import type { InFlight } from '../limits/in-flight.ts'
import type { AppOptions } from '../options.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'
import { createPause } from './evidence-pause.ts'

/** `POST /api/v1/evidence/verify`: whether a pack is of this ledger; 200 for both verdicts. */
export function verifyResource(
  { crypto, clock, keys, receipts }: AppOptions,
  inFlight: InFlight,
): Resource {
  return resource('/api/v1/evidence/verify', {
    POST: {
      access: 'read',
      handle: ({ request }) =>
        // INVARIANT: no body is read before there is room for it.
        inFlight(async () => {
          const bytes = await readTar(request, maxPackBytes)
          const own = await keys()
          const { identity } = await receipts.state()
          const { verdict, checks } = await verifyPack(bytes, {
            crypto,
            keys: own.map((key) => decodeHex(key.public_key, 32, 'public_key')),
            logKeys: own.map((key) => decodeHex(key.log_public_key, 32, 'log_public_key')),
            // Ledgers that began with one seed have one key, and one name.
            ...identity,
            pause: createPause(clock),
          })
          return json({ verdict, checks })
        }),
    },
  })
}
