import type { Provenance } from '../bundle/verify.ts'
import { KernelError } from '../error.ts'
import type { EffectivePolicySnapshot } from '../policy/snapshot.ts'
import type { Mark, ScopeState } from '../ports/receipt-store.ts'
import { scopeKey } from '../trust/scope.ts'

/** A larger step would let one bad signature burn the numbers. */
const maxStep = 2 ** 32

/**
 * Holds a policy to the epochs that its scope has seen (design 3.2, step 7): signed policy to signed
 * activations, the policy that is held and the trust root's floor; unsigned policy to unsigned ones, and
 * nothing unsigned after something signed. `same` is the newest activation again. Throws
 * `SIGNATURE_MISSING`, `EPOCH_ROLLBACK`, `EPOCH_EQUIVOCATION` or `EPOCH_JUMP`.
 */
export function checkFloor(
  policy: Pick<EffectivePolicySnapshot, 'policyEpoch' | 'policyHash' | 'provenance' | 'scope'>,
  state: ScopeState,
  epochFloors: ReadonlyMap<string, number>,
  held?: EffectivePolicySnapshot,
): 'new' | 'same' {
  const { policyEpoch, policyHash, scope } = policy
  const signed = policy.provenance === 'signed'
  if (!signed && state.signedOnly) {
    throw new KernelError(
      'SIGNATURE_MISSING',
      'this scope had signed policy, so an unsigned bundle is refused: configure the trust key again and sign it, or run policy forget',
    )
  }
  const mark = highest(signed ? state.signed : state.unsigned, markOf(held, policy.provenance))
  const floor = Math.max(mark?.epoch ?? 0, signed ? (epochFloors.get(scopeKey(scope)) ?? 0) : 0)
  if (policyEpoch < floor) {
    throw new KernelError(
      'EPOCH_ROLLBACK',
      `policy_epoch ${policyEpoch} is below ${floor}, which this scope has reached: build the bundle with a higher one`,
    )
  }
  if (policyEpoch - floor > maxStep) {
    throw new KernelError(
      'EPOCH_JUMP',
      `policy_epoch ${policyEpoch} is more than 2^32 above ${floor}: build the bundle with a nearer one`,
    )
  }
  if (mark === undefined || policyEpoch > mark.epoch) return 'new'
  if (policyHash === mark.hash) return 'same'
  throw new KernelError(
    'EPOCH_EQUIVOCATION',
    `policy_epoch ${policyEpoch} was activated as ${mark.hash}, this bundle is ${policyHash}: build it with a higher epoch`,
  )
}

/** What is installed counts where the ledger does not know of it: one that was lost, or made anew. */
function markOf(
  held: EffectivePolicySnapshot | undefined,
  provenance: Provenance,
): Mark | undefined {
  if (held?.provenance !== provenance) return undefined
  return { epoch: held.policyEpoch, hash: held.policyHash }
}

function highest(a: Mark | undefined, b: Mark | undefined): Mark | undefined {
  return (a?.epoch ?? 0) >= (b?.epoch ?? 0) ? a : b
}
