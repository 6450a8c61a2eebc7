import {
  type Crypto,
  type Disk,
  equalBytes,
  isKernelError,
  type LedgerIdentity,
} from '@helm-ai-kernel/core'
import { edgeOfTiles, tileWidth } from '@helm-ai-kernel/core/log'
import { countTiled } from './count-tiled.ts'
import { hashTiles } from './hash-tiles.ts'
import { listSegments } from './segment.ts'
import { type KeptState, readState, stateEntries, statePath } from './state-file.ts'
import { createTower, restoreTower, type Tower } from './tower.ts'

/** From where the log is read: the tower stands at the size of the kept state, or is empty. */
export interface Start {
  readonly kept: KeptState | undefined
  readonly tower: Tower
}

export interface StartOptions {
  readonly disk: Disk
  readonly crypto: Crypto
  readonly identity: LedgerIdentity
  /** Undefined for a reader, which holds no key against what it reads. */
  readonly logPublicKey: Uint8Array | undefined
  readonly warn: (message: string) => void
}

/**
 * INVARIANT: a state is believed only when the log key signed it and the tiles have its tree: else
 * whoever can write files could make a kernel forget which policy a scope already had.
 */
export async function findStart(options: StartOptions): Promise<Start> {
  const { disk, crypto, identity, logPublicKey, warn } = options
  const kept = await readState(disk, crypto, identity, logPublicKey)
  const tower = typeof kept === 'object' ? await towerOf(disk, crypto, kept) : kept
  if (typeof kept === 'object' && typeof tower === 'object') return { kept, tower }
  if (typeof tower === 'string') warn(`${statePath} ${tower}: the whole log is read`)
  return { kept: undefined, tower: createTower(crypto) }
}

/** The tower over the entries that a state is of; or why the tiles are not of the same log. */
async function towerOf(
  disk: Disk,
  crypto: Crypto,
  { edge: { size, hashes } }: KeptState,
): Promise<Tower | string> {
  if (size % stateEntries !== 0) return `is of ${size} entries`
  const [first] = await listSegments(disk)
  const tiled = (await countTiled(disk, first)) * tileWidth
  if (size > tiled) return `is of ${size} entries, the tiles are of ${tiled}`
  try {
    const tower = await restoreTower(disk, crypto, size / tileWidth)
    const found = await edgeOfTiles(crypto, hashTiles(disk, tower), size)
    const isSame =
      found.length === hashes.length &&
      found.every((hash, i) => equalBytes(hash, hashes[i] ?? new Uint8Array()))
    return isSame ? tower : 'is of another tree than the tiles'
  } catch (error) {
    if (isKernelError(error)) return `is of another tree than the tiles: ${error.message}`
    throw error
  }
}
