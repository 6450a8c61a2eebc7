import { randomFillSync } from 'node:crypto'
import type { Random } from '@helm-ai-kernel/core'

// Asking the system costs as much as deciding, and every request asks for 16 bytes: so 256 of them
// share one question. INVARIANT: bytes leave the pool once, and nothing of them stays in it.
const pool = new Uint8Array(4096)
let next = pool.length

/** The randomness of the operating system. */
export const hostRandom: Random = Object.freeze({
  bytes(n) {
    if (n > pool.length) return randomFillSync(new Uint8Array(n))
    if (next + n > pool.length) {
      randomFillSync(pool)
      next = 0
    }
    const taken = pool.slice(next, next + n)
    pool.fill(0, next, next + n)
    next += n
    return taken
  },
} satisfies Random)
