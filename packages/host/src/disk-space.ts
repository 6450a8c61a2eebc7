import { statfs } from 'node:fs/promises'
import type { Cancel, Clock } from '@helm-ai-kernel/core'
import type { Finding } from '@helm-ai-kernel/http'
import type { Log } from './log.ts'

const interval = 30_000
const least = 0.1

/** How full the disk of the data directory is, looked at now and then. */
export interface DiskSpace {
  /** Bytes that this process may still write; undefined where the platform does not say. */
  available(): number | undefined
  /** A warning below a tenth of the disk. */
  warning(): Finding | undefined
}

/** Looks at the disk of `folder` until `ended`, and logs once whenever it becomes too full. */
export function watchDiskSpace(
  folder: string,
  clock: Clock,
  log: Pick<Log, 'warn'>,
  ended: Cancel,
): DiskSpace {
  let seen: { readonly available: number; readonly share: number } | undefined
  let low = false

  function warning(): Finding | undefined {
    if (seen === undefined || seen.share >= least) return undefined
    return {
      check: 'ledger',
      code: 'DISK_LOW',
      detail: `${(seen.share * 100).toFixed(1)} % of the data directory's disk is free`,
      fix: 'make room, or enlarge the volume: when it is full nothing is allowed any more',
    }
  }

  async function look(): Promise<void> {
    try {
      const { bavail, blocks, bsize } = await statfs(folder)
      seen = { available: bavail * bsize, share: blocks === 0 ? 1 : bavail / blocks }
    } catch {
      // A disk that cannot be asked says so when it is written to.
      seen = undefined
    }
    const found = warning()
    if (found !== undefined && !low) log.warn(found.detail, { fix: found.fix })
    low = found !== undefined
  }

  async function run(): Promise<void> {
    while (!ended.aborted) {
      await look()
      await clock.sleep(interval, ended)
    }
  }

  void run()
  return { available: () => seen?.available, warning }
}
