import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock, Random } from '@helm-ai-kernel/core'

/** The ports that every measurement needs, on the plainest parts of the host. */
export const hostPorts: { readonly clock: Clock; readonly random: Random } = {
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: async (ms) => {
      await sleep(ms)
    },
  },
  random: { bytes: (n) => randomBytes(n) },
}
