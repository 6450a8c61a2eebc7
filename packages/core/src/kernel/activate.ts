import { KernelError } from '../error.ts'
import type { EffectivePolicySnapshot } from '../policy/snapshot.ts'
import type { Mark, ScopeState } from '../ports/receipt-store.ts'
import type { ActivationBody } from '../receipt/statement.ts'
import type { InstallOptions } from './delivery.ts'
import type { Recorder } from './recorder.ts'

/**
 * Writes the activation receipt of a policy, unless the newest one is of the same policy. `readFloor`
 * gives the scope's state, and throws when the policy may not follow it.
 */
export type Activate = (
  snapshot: EffectivePolicySnapshot,
  from: Pick<InstallOptions, 'source' | 'bundleRef'>,
  readFloor: () => Promise<ScopeState>,
) => Promise<'activated' | 'resumed'>

export function createActivation(recorder: Recorder): Activate {
  return async (snapshot, { source = 'install', bundleRef = '' }, readFloor) => {
    const { scope, policyEpoch, policyHash, keyIds, provenance } = snapshot
    const signed = provenance === 'signed'
    if (source.length > 256 || bundleRef.length > 2048) {
      throw new KernelError('HEAD_MALFORMED', 'bundle_ref is longer than a receipt may hold')
    }
    for (;;) {
      const state = await readFloor()
      const mark = signed ? state.signed : state.unsigned
      if (mark?.epoch === policyEpoch && mark.hash === policyHash) return 'resumed'
      const previous = mark ?? state.unsigned
      const body: ActivationBody = {
        kind: 'activation',
        policy_epoch: policyEpoch,
        policy_hash: policyHash,
        signed,
        key_ids: keyIds,
        source,
        bundle_ref: bundleRef,
        previous_epoch: previous?.epoch ?? null,
        previous_hash: previous?.hash ?? null,
      }
      // Decided again in the store's critical section: another replica may have moved the floor.
      const receipt = await recorder.record({ scope, body }, (now) =>
        hasMoved(now, state) ? 'POLICY_BEHIND' : undefined,
      )
      if ('statement' in receipt) return 'activated'
    }
  }
}

/** Whether an activation came between two readings of a scope's state. */
function hasMoved(now: ScopeState, then: ScopeState): boolean {
  return isOther(now.signed, then.signed) || isOther(now.unsigned, then.unsigned)
}

function isOther(a: Mark | undefined, b: Mark | undefined): boolean {
  return a?.epoch !== b?.epoch || a?.hash !== b?.hash
}
