import { inclusionProof, type Proof } from '../log/proof.ts'
import { hashBytes, placeOf, tilePath } from '../log/tile.ts'
import { subtree, type TileReader } from '../log/tiled-proof.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Tile } from '../ports/tiles.ts'

/** So many tiles, and hashes of subtrees, are remembered between two proofs. */
const maxTiles = 64
const maxHashes = 8_192

/**
 * Inclusion proofs in one tree for many leaves: neighbours share tiles and subtrees, so that each is
 * read and hashed once when leaves come in the order of the log. Throws `PROOF_INVALID`.
 */
export function createProver(
  crypto: Crypto,
  tiles: TileReader,
  size: number,
): (index: number) => Promise<Proof> {
  const read = new Map<string, Uint8Array>()
  const hashes = new Map<string, Uint8Array>()
  return async (index) => {
    if (read.size > maxTiles) read.clear()
    if (hashes.size > maxHashes) hashes.clear()
    // Which hashes are asked for depends on numbers alone: one run tells them, the next has them.
    const wanted: (readonly [level: number, index: number])[] = []
    inclusionProof(crypto, index, size, (level, at) => {
      wanted.push([level, at])
      return new Uint8Array(hashBytes)
    })
    for (const [level, at] of wanted) {
      const key = `${level}/${at}`
      if (hashes.has(key)) continue
      const { tile, from, to } = placeOf(level, at, size)
      const bytes = await tileOf(tile)
      hashes.set(key, subtree(crypto, bytes.subarray(from * hashBytes, to * hashBytes)))
    }
    return inclusionProof(crypto, index, size, (level, at) => {
      return hashes.get(`${level}/${at}`) ?? new Uint8Array()
    })
  }

  async function tileOf(tile: Tile): Promise<Uint8Array> {
    const path = tilePath(tile)
    const known = read.get(path)
    if (known !== undefined) return known
    const bytes = await tiles.tile(tile)
    if (bytes?.length !== tile.width * hashBytes) {
      throw new KernelError('PROOF_INVALID', `the log has no ${path}`)
    }
    read.set(path, bytes)
    return bytes
  }
}
