import { type Holder, KernelError, type Lock } from '@helm-ai-kernel/core'

export interface MemoryLock extends Lock {
  /** Somebody else takes the lock without asking. */
  steal(): void
}

/** A Lock within one process. */
export function memoryLock(): MemoryLock {
  let owner: { readonly holder: Holder } | undefined
  return {
    async acquire(_, who) {
      if (owner !== undefined) return { heldBy: owner.holder }
      const mine = { holder: who }
      owner = mine
      return {
        async check() {
          if (owner !== mine)
            throw new KernelError('LEDGER_LOCKED', 'another process took the lock')
        },
        async release() {
          if (owner === mine) owner = undefined
        },
      }
    },
    steal: () => (owner = { holder: { pid: 2, host: 'other', since: '' } }),
  }
}
