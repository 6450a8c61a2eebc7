import type { Disk } from '@helm-ai-kernel/core'
import { tileWidth } from '@helm-ai-kernel/core/log'
import { readFile } from './read-file.ts'
import { tileFile } from './tile-file.ts'

/**
 * How many full tiles of entries must be there, when the oldest segment begins at `first`: a segment
 * is removed only when every tile over its entries is durable, and the oldest one first. With no
 * segment left the tiles themselves tell, by doubling and halving: a hole among them is not seen here.
 */
export async function countTiled(disk: Disk, first: number | undefined): Promise<number> {
  if (first !== undefined) return Math.ceil(first / tileWidth)
  const has = async (index: number) =>
    (await readFile(disk, tileFile('entries', index), 0)) !== undefined
  let end = 1
  while (await has(end - 1)) end *= 2
  let have = Math.floor(end / 2)
  // INVARIANT: tile have − 1 is there, or have is 0; tile end − 1 is not.
  while (end - have > 1) {
    const middle = Math.floor((have + end) / 2)
    if (await has(middle - 1)) have = middle
    else end = middle
  }
  return have
}
