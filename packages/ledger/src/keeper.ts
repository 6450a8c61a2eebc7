import type { Clock, LedgerIdentity, Signer } from '@helm-ai-kernel/core'
import { edgeOfTiles } from '@helm-ai-kernel/core/log'
import { messageOf } from './fault.ts'
import { hashTiles } from './hash-tiles.ts'
import type { Notices } from './notices.ts'
import type { Positions } from './positions.ts'
import type { LogSource } from './read-log.ts'
import { type Snapshot, statePath, writeState } from './state-file.ts'
import type { Tower } from './tower.ts'

export interface KeeperOptions {
  readonly source: LogSource
  readonly identity: LedgerIdentity
  readonly log: Signer
  /** Whether that is the log's own key. */
  readonly isOwn: () => boolean
  readonly clock: Clock
  readonly tower: Tower
  readonly positions: Positions
  readonly notices: Notices
}

/** Keeps the state file not far behind the log. */
export interface Keeper {
  /** A snapshot may be taken now; it is, unless one still waits for its tiles. */
  offer(take: () => Snapshot): void
  /** Writes what waits once the tiles reach it. Never rejects: without the file a start is slow. */
  keep(tiledEntries: number): Promise<void>
}

const notice = 'state'

export function createKeeper(options: KeeperOptions, newer: Snapshot | undefined): Keeper {
  const { source, identity, log, isOwn, clock, tower, positions, notices } = options
  const { disk, crypto } = source
  let waiting = newer

  async function write(snapshot: Snapshot): Promise<void> {
    const { size } = snapshot.fields
    const hashes = await edgeOfTiles(crypto, hashTiles(disk, tower), size)
    // The positions first: the state says what they are.
    await positions.extend()
    const state = { ...snapshot, edge: { size, hashes } }
    await writeState(disk, crypto, log, identity, state, () => clock.sleep(0))
  }

  return {
    offer(take) {
      waiting ??= take()
    },
    async keep(tiledEntries) {
      const snapshot = waiting
      if (snapshot === undefined || snapshot.fields.size > tiledEntries || !isOwn()) return
      try {
        await write(snapshot)
        waiting = undefined
        notices.clear(notice)
      } catch (error) {
        notices.raise(notice, `${statePath} is not written: ${messageOf(error)}`)
      }
    },
  }
}
