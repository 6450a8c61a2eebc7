import { randomFillSync } from 'node:crypto'
import type { Random } from '@helm-ai-kernel/core'

/** The randomness of the operating system. */
export const hostRandom: Random = Object.freeze({
  bytes: (n) => randomFillSync(new Uint8Array(n)),
} satisfies Random)
