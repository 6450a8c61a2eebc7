import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KernelOptions } from '@helm-ai-kernel/core'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The ports that every measurement needs, on the plainest parts of the host. */
export const hostPorts: Required<Pick<KernelOptions, 'clock' | 'random' | 'text'>> = {
  text: (bytes) => utf8.decode(bytes),
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: async (ms) => {
      await sleep(ms)
    },
  },
  random: { bytes: (n) => randomBytes(n) },
}
