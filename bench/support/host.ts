import type { KernelOptions } from '@helm-ai-kernel/core'
import { hostClock, hostRandom } from '@helm-ai-kernel/host'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The ports that every measurement needs, as the Node adapter gives them. */
export const hostPorts: Required<Pick<KernelOptions, 'clock' | 'random' | 'text'>> = {
  clock: hostClock,
  random: hostRandom,
  text: (bytes) => utf8.decode(bytes),
}
