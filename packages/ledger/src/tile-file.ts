import { type Crypto, type Disk, equalBytes, KernelError, type Tile } from '@helm-ai-kernel/core'
import {
  decodeEntries,
  hashBytes,
  leafHash,
  subtree,
  tilePath,
  tileWidth,
} from '@helm-ai-kernel/core/log'
import { readFile } from './read-file.ts'

// On disk there are full tiles alone: a partial one is the beginning of a full one.

export const fullTileBytes: number = tileWidth * hashBytes

/** Where a full tile is in the data directory. */
export function tileFile(level: Tile['level'], index: number): string {
  return `ledger/${tilePath({ level, index, width: tileWidth })}`
}

/** The hashes of a full tile; undefined when there is no such file. Throws `LEDGER_CORRUPT`. */
export async function readHashes(
  disk: Disk,
  level: number,
  index: number,
): Promise<Uint8Array | undefined> {
  const path = tileFile(level, index)
  const bytes = await readFile(disk, path, fullTileBytes + 1)
  if (bytes === undefined || bytes.length === fullTileBytes) return bytes
  throw new KernelError('LEDGER_CORRUPT', `${path} has not the ${fullTileBytes} bytes of a tile`)
}

/** Entries of the log that were read together. */
export interface Stretch {
  /** Log index of the first. */
  readonly first: number
  readonly entries: readonly Uint8Array[]
  /** The leaf hash of each entry. */
  readonly leaves: readonly Uint8Array[]
}

/**
 * The 256 entries of a full tile, held against its hashes; undefined when there is no bundle. Throws
 * `LEDGER_CORRUPT`, naming the file.
 */
export async function readBundle(
  disk: Disk,
  crypto: Crypto,
  index: number,
): Promise<Stretch | undefined> {
  const path = tileFile('entries', index)
  const bytes = await readFile(disk, path)
  if (bytes === undefined) return undefined
  const entries = entriesOf(bytes)
  if (entries?.length !== tileWidth) {
    throw new KernelError('LEDGER_CORRUPT', `${path} is no bundle of ${tileWidth} entries`)
  }
  const hashes = await readHashes(disk, 0, index)
  if (hashes === undefined) {
    throw new KernelError('LEDGER_CORRUPT', `${tileFile(0, index)} is missing`)
  }
  const leaves = entries.map((entry) => leafHash(crypto, entry))
  for (const [i, leaf] of leaves.entries()) {
    if (equalBytes(leaf, hashAt(hashes, i))) continue
    throw new KernelError(
      'LEDGER_CORRUPT',
      `${path} and ${tileFile(0, index)} disagree at entry ${index * tileWidth + i}`,
    )
  }
  return { first: index * tileWidth, entries, leaves }
}

export function hashAt(hashes: Uint8Array, i: number): Uint8Array {
  return hashes.subarray(i * hashBytes, (i + 1) * hashBytes)
}

/** The hash that stands for a full tile in the tile above it. */
export function rootOfTile(crypto: Crypto, hashes: Uint8Array): Uint8Array {
  return subtree(crypto, hashes)
}

function entriesOf(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  try {
    return decodeEntries(bytes)
  } catch {
    // It is cut off: no bundle.
    return undefined
  }
}
