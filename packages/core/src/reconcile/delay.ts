import type { Random } from '../ports/random.ts'
import { maxBackOff } from './options.ts'

/**
 * Ms until the next poll: the interval, doubled for each failure in a row up to eight times it or a
 * minute, and a tenth more or less, so that many kernels do not ask at once.
 */
export function pollDelay(interval: number, failures: number, random: Random): number {
  const most = Math.max(interval, Math.min(8 * interval, maxBackOff))
  const backedOff = Math.min(most, interval * 2 ** failures)
  const [spread = 0] = random.bytes(1)
  return Math.round(backedOff * (0.9 + (0.2 * spread) / 255))
}
