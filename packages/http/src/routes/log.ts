import type { AppOptions } from '../options.ts'
import { type Answer, type Resource, resource } from '../route.ts'

/** `GET /log/checkpoint`: the signed note as it is (C2SP tlog-tiles), which changes every second. */
export function checkpointResource({ checkpoint, logPublic }: AppOptions): Resource {
  const handle = (): Answer => {
    const note = checkpoint()
    if (note === undefined) {
      return { refused: 'NOT_FOUND', detail: 'no checkpoint is published yet: try again' }
    }
    return {
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' },
      body: note.slice(),
    }
  }
  return resource('/log/checkpoint', { GET: { access: logPublic ? 'anyone' : 'read', handle } })
}
