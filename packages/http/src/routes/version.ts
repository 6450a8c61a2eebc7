import type { AppOptions } from '../options.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'

/** `GET /version`: which build this is. */
export function versionResource({ build }: AppOptions): Resource {
  return resource('/version', { GET: { access: 'anyone', handle: () => json(build) } })
}
