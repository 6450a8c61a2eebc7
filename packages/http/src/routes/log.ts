import type { Tile } from '@helm-ai-kernel/core'
import { claimedCheckpoint, parseTilePath, tileWidthAt } from '@helm-ai-kernel/core/log'
import { createInFlight } from '../limits/in-flight.ts'
import type { AppOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import { type Answer, type Exchange, type Resource, resource } from '../route.ts'

const prefix = '/log/'

const unpublished: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'no checkpoint is published yet: try again',
  headers: { 'retry-after': '1' },
}

/** Who comes without a key counts in no other limit, and may not keep the others waiting. */
const maxAnonymous = 64

const crowded: Refusal = {
  refused: 'OVERLOADED',
  detail: 'too many look at the public log at this moment: try again',
  headers: { 'retry-after': '1' },
}

const unknownTile: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'the newest checkpoint covers no tile of this path, which is as C2SP tlog-tiles has it',
}

/** The log as auditors read it (C2SP tlog-tiles), below `/log/`. */
export function logResources({ log, logPublic }: AppOptions): readonly Resource[] {
  const access = logPublic ? 'anyone' : 'read'
  const open = createInFlight(logPublic ? maxAnonymous : Infinity, crowded)

  const checkpoint = resource('/log/checkpoint', {
    GET: {
      access,
      handle: () => open(serveCheckpoint),
    },
  })

  // INVARIANT: the level that was read from the path decides, never the route that it came by.
  const hashes = resource('/log/tile/*', {
    GET: {
      access,
      handle: (exchange: Exchange) =>
        open(() => serveTile(exchange, ({ level }) => level !== 'entries')),
    },
  })

  // Entries of every scope: audit, also where the log is public.
  const entries = resource('/log/tile/entries/*', {
    GET: {
      access: 'audit',
      handle: (exchange) => serveTile(exchange, ({ level }) => level === 'entries', false),
    },
  })

  async function serveCheckpoint(): Promise<Answer> {
    const note = await log.checkpoint()
    if (note === undefined) return unpublished
    return {
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' },
      body: note.slice(),
    }
  }

  async function serveTile(
    { request }: Exchange,
    fits: (tile: Tile) => boolean,
    forAll = logPublic,
  ): Promise<Answer> {
    const tile = parseTilePath(new URL(request.url).pathname.slice(prefix.length))
    if (tile === undefined || !fits(tile)) return unknownTile
    const note = await log.checkpoint()
    if (note === undefined) return unpublished
    // INVARIANT: what no published checkpoint covers is not told, not even that it is there.
    const { size } = claimedCheckpoint(note)
    if (tileWidthAt(size, tile.level, tile.index) < tile.width) return unknownTile
    const bytes = await log.tile(tile)
    return bytes === undefined ? unknownTile : immutable(bytes, forAll)
  }

  return [checkpoint, entries, hashes]
}

/** A tile never changes: not even a partial one, whose path says how wide it is. */
function immutable(bytes: Uint8Array, forAll: boolean): Answer {
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'cache-control': `${forAll ? 'public' : 'private'}, max-age=31536000, immutable`,
      ...(!forAll && { vary: 'authorization' }),
    },
    body: bytes.slice(),
  }
}
