import { type Crypto, type Disk, equalBytes, isKernelError } from '@helm-ai-kernel/core'
import { leafHash, tileWidth } from '@helm-ai-kernel/core/log'
import type { LogEnd, LogSource } from './read-log.ts'
import { readFile } from './read-file.ts'
import { listSegments, readSegment, segmentPath } from './segment.ts'
import { hashAt, readBundle, readHashes, tileFile } from './tile-file.ts'
import type { Tower } from './tower.ts'

/**
 * Where a tile and a segment are both there, as a process leaves them that ends between making the one
 * and removing the other, and do not agree: what is wrong, or undefined. The log was read to its end,
 * and nobody else writes.
 */
export async function findOverlap(
  source: LogSource,
  tower: Tower,
  end: LogEnd,
): Promise<string | undefined> {
  const { disk, crypto } = source
  try {
    return (
      (await findRemains(source, end)) ??
      (await findBundles(disk, crypto, tower, end.tiled)) ??
      (await findHashes(disk, tower))
    )
  } catch (error) {
    if (isKernelError(error, 'LEDGER_CORRUPT')) return error.message
    throw error
  }
}

/** Segments of which the neighbours are removed, so that tiles were read in their place. */
async function findRemains(
  { disk, crypto, ledgerId }: LogSource,
  end: LogEnd,
): Promise<string | undefined> {
  const read = new Set(end.segments.map(({ first }) => first))
  for (const first of await listSegments(disk)) {
    if (read.has(first) || first >= end.size) continue
    const index = Math.floor(first / tileWidth)
    const bundle = await readBundle(disk, crypto, index)
    const bytes = await readFile(disk, segmentPath(first))
    const leaves: Uint8Array[] = []
    const segment =
      bytes && readSegment(bytes, first, ledgerId, (f) => leaves.push(leafHash(crypto, f.entry)))
    const agree = leaves.every((leaf, i) =>
      equalBytes(leaf, bundle?.leaves[(first % tileWidth) + i] ?? new Uint8Array()),
    )
    if (segment?.flaw === undefined && agree) continue
    return `${segmentPath(first)} and ${tileFile('entries', index)} disagree`
  }
  return undefined
}

/** Bundles of entries that are in segments still. */
async function findBundles(
  disk: Disk,
  crypto: Crypto,
  tower: Tower,
  tiled: number,
): Promise<string | undefined> {
  for (let index = tiled; ; index++) {
    const bundle = await readBundle(disk, crypto, index)
    if (bundle === undefined) return undefined
    const path = tileFile('entries', index)
    const own = tower.full.find((tile) => tile.level === 0 && tile.index === index)
    if (own === undefined) {
      return `the segments end at entry ${tower.size}, ${path} holds later ones`
    }
    const wrong = bundle.leaves.findIndex((leaf, i) => !equalBytes(leaf, hashAt(own.hashes, i)))
    if (wrong !== -1) return `${path} and the segment disagree at entry ${bundle.first + wrong}`
  }
}

async function findHashes(disk: Disk, tower: Tower): Promise<string | undefined> {
  for (const { level, index, hashes } of tower.full) {
    const found = await readHashes(disk, level, index)
    if (found === undefined || equalBytes(found, hashes)) continue
    return `${tileFile(level, index)} is not made of the entries in the segments`
  }
  return undefined
}
