import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Tile, Tiles } from '../ports/tiles.ts'
import { consistencyProof, type HashOf, inclusionProof, type Proof, treeRoot } from './proof.ts'
import type { Range } from './range.ts'
import { hashBytes, placeOf, tilePath } from './tile.ts'
import { nodeHash } from './tree.ts'

/** Reads the hash tiles of a log. What comes back is proved by nothing but the root it leads to. */
export type TileReader = Pick<Tiles, 'tile'>

/** Throws `PROOF_INVALID` when there is no such leaf or a tile is missing. */
export function proveInclusion(
  crypto: Crypto,
  tiles: TileReader,
  index: number,
  size: number,
): Promise<Proof> {
  return withTiles(crypto, tiles, size, (hashOf) => inclusionProof(crypto, index, size, hashOf))
}

/** Throws `PROOF_INVALID` when `from` is more than `to` or a tile is missing. */
export function proveConsistency(
  crypto: Crypto,
  tiles: TileReader,
  from: number,
  to: number,
): Promise<Proof> {
  return withTiles(crypto, tiles, to, (hashOf) => consistencyProof(crypto, from, to, hashOf))
}

/** The RFC 6962 root over the first `size` leaves. Throws `PROOF_INVALID` when a tile is missing. */
export function rootOfTiles(crypto: Crypto, tiles: TileReader, size: number): Promise<Uint8Array> {
  return withTiles(crypto, tiles, size, (hashOf) => treeRoot(crypto, size, hashOf))
}

/** What a `Range` over the first `size` leaves has as its `hashes`. */
export function edgeOfTiles(
  crypto: Crypto,
  tiles: TileReader,
  size: number,
): Promise<ReturnType<Range['hashes']>> {
  return withTiles(crypto, tiles, size, (hashOf) => {
    const hashes: Uint8Array[] = []
    for (let rest = size, end = 0; rest > 0;) {
      const level = rest.toString(2).length - 1
      hashes.push(hashOf(level, end / 2 ** level))
      end += 2 ** level
      rest -= 2 ** level
    }
    return hashes
  })
}

/** Which tiles are asked for depends on numbers alone: one run tells them, the next has them. */
async function withTiles<T>(
  crypto: Crypto,
  tiles: TileReader,
  size: number,
  compute: (hashOf: HashOf) => T,
): Promise<T> {
  const wanted = new Map<string, Tile>()
  const nothing = new Uint8Array(hashBytes)
  compute((level, index) => {
    const { tile } = placeOf(level, index, size)
    wanted.set(tilePath(tile), tile)
    return nothing
  })
  const found = new Map<string, Uint8Array>()
  await Promise.all(
    [...wanted].map(async ([path, tile]) => {
      const bytes = await tiles.tile(tile)
      if (bytes?.length !== tile.width * hashBytes) {
        throw new KernelError('PROOF_INVALID', `the log has no ${path}`)
      }
      found.set(path, bytes)
    }),
  )
  return compute((level, index) => {
    const { tile, from, to } = placeOf(level, index, size)
    const bytes = found.get(tilePath(tile)) ?? nothing
    return subtree(crypto, bytes.subarray(from * hashBytes, to * hashBytes))
  })
}

/** The hash over a power of two of hashes. */
export function subtree(crypto: Crypto, hashes: Uint8Array): Uint8Array {
  if (hashes.length === hashBytes) return hashes
  const middle = hashes.length / 2
  return nodeHash(
    crypto,
    subtree(crypto, hashes.subarray(0, middle)),
    subtree(crypto, hashes.subarray(middle)),
  )
}
