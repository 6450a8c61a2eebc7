import { execFile } from 'node:child_process'
import { mkdtemp, rm, statfs, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A small file system of its own, that can be filled. */
export interface Tmpfs {
  readonly folder: string
  /** Takes all the room that is left but so many bytes. */
  fill(but?: number): Promise<void>
  /** Gives it back. */
  free(): Promise<void>
  unmount(): Promise<void>
}

/** Why none can be mounted here; undefined when one can. */
export function whyNoTmpfs(): string | undefined {
  if (process.platform !== 'linux') return 'tmpfs is of Linux'
  return process.getuid?.() === 0 ? undefined : 'only root mounts a tmpfs'
}

export async function mountTmpfs(mebibytes: number): Promise<Tmpfs> {
  const folder = await mkdtemp(join(tmpdir(), 'helm-tmpfs-'))
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder])
  const ballast = join(folder, 'ballast')
  return {
    folder,
    async fill(but = 0) {
      const { bavail, bsize } = await statfs(folder)
      await writeFile(ballast, new Uint8Array(bavail * bsize - but))
    },
    free: () => unlink(ballast),
    async unmount() {
      await run('umount', [folder])
      await rm(folder, { recursive: true })
    },
  }
}
