import { decodeHex, type LedgerIdentity } from '@helm-ai-kernel/core'
import {
  type Audited,
  createState,
  createUnresolved,
  type StateFold,
  type Unresolved,
} from '@helm-ai-kernel/core/receipt'
import type { Snapshot } from './state-file.ts'

/** What the log says when it is read from the first receipt to the last. */
export interface Fold {
  readonly state: StateFold
  /** Log keys that began, 32 bytes each. */
  logKeys(): readonly Uint8Array[]
  readonly unresolved: Unresolved
  /** Takes the next receipt of the log, which is known to follow. */
  apply(receipt: Audited): void
  /** All of it, as it is now. */
  snapshot(positions: string): Snapshot
}

/** The fold of an empty log, or one that goes on from what was kept. */
export function createFold(identity: LedgerIdentity, from?: Snapshot): Fold {
  const state = createState(identity, from?.fields)
  const unresolved = createUnresolved(from?.unresolved)
  const keys = [...(from?.keys ?? [])]
  return {
    state,
    unresolved,
    logKeys: () => keys.map(([, key]) => decodeHex(key, 32, 'log key')),
    apply(receipt) {
      state.apply(receipt)
      unresolved.apply(receipt)
      const { statement, logIndex } = receipt
      if (statement.kind === 'key' && statement.event === 'began') {
        keys.push([logIndex, statement.log_public_key])
      }
    },
    snapshot: (positions) => ({
      fields: state.fields(),
      unresolved: unresolved.list(),
      keys: [...keys],
      positions,
    }),
  }
}
