import { type Clock, type Crypto, type Digest, digestOf } from '@helm-ai-kernel/core'
import { bytesOf, type OpenFile } from './open-file.ts'

/** A file's bytes, and their digest. */
export interface HashedBytes {
  readonly bytes: Uint8Array
  readonly digest: Digest
}

/** Digests of a file that is asked about again and again. */
export interface FileDigests {
  /** The digest of a file, which is read only when it may be another than the last. */
  of(file: OpenFile): Promise<Digest>
}

/** Coarser than the time stamps of any file system that policy is mounted from, ms. */
const settled = 2_000

/**
 * Remembers the digest of the file that was asked for last, so that 25 MB are not read at every poll.
 *
 * A file changed twice within one tick of its file system's clock has the same times after both, so
 * equal times prove nothing of a file that was read just after a change: the second one may follow.
 * (Of git's index this is known as the racily clean entry.) So a digest is remembered only of a file
 * whose newest change was long over when it was read: whatever changes it later has a later time.
 */
export function fileDigests(crypto: Crypto, clock: Pick<Clock, 'now'>): FileDigests {
  let known: { readonly identity: string; readonly digest: Digest } | undefined
  return {
    async of(file) {
      const { identity, changedAt } = file
      if (known?.identity === identity) return known.digest
      const isSettled = changedAt < clock.now() - settled
      const hasher = crypto.hasher('sha256')
      for await (const part of file.slices()) hasher.update(part)
      const digest = digestOf(hasher.digest())
      known = isSettled ? { identity, digest } : undefined
      return digest
    },
  }
}

/** Reads and hashes a file in one pass. */
export async function hashedBytes(file: OpenFile, crypto: Crypto): Promise<HashedBytes> {
  const hasher = crypto.hasher('sha256')
  const bytes = await bytesOf(file, (part) => hasher.update(part))
  return { bytes, digest: digestOf(hasher.digest()) }
}
