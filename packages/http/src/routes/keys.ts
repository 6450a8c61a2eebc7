import type { AppOptions } from '../options.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'

/** `GET /api/v1/keys`: the public keys of the ledger, each with the part of the log that it signed. */
export function keysResource({ keys }: AppOptions): Resource {
  return resource('/api/v1/keys', {
    GET: { access: 'anyone', handle: async () => json({ keys: await keys() }) },
  })
}
