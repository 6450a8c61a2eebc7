import { timestamp } from '../bytes/time.ts'
import type { Installed, Standing } from '../policy/cell.ts'
import { type Decision, deny } from '../policy/decision.ts'
import type { EffectivePolicySnapshot } from '../policy/snapshot.ts'

/** Both clocks, read once for one decision. */
export interface Moment {
  /** Wall ms, never below the newest receipt's. */
  readonly wall: number
  readonly monotonic: number
}

/** How an installed policy stands at a moment. */
export type SnapshotStatus = 'active' | 'stale' | 'expired' | 'invalid' | 'withdrawn'

/**
 * Age and expiry have passed when either clock says so: a hung source cannot keep old policy alive, a
 * suspended machine cannot stretch it, and no step of the wall clock extends it (design 3.1).
 */
export function statusAt(
  standing: Exclude<Standing, { status: 'no_policy' }>,
  moment: Moment,
): SnapshotStatus {
  if (standing.status !== 'active') return standing.status
  if (isExpired(standing, moment)) return 'expired'
  return isStale(standing, moment) ? 'stale' : 'active'
}

function isExpired(
  { snapshot, expiresMonotonic }: Installed,
  { wall, monotonic }: Moment,
): boolean {
  return wall >= (snapshot.expiresAt ?? Infinity) || monotonic >= expiresMonotonic
}

function isStale(
  { verifiedAt, verifiedMonotonic, maxAge }: Installed,
  { wall, monotonic }: Moment,
): boolean {
  return wall - verifiedAt > maxAge || monotonic - verifiedMonotonic > maxAge
}

/** The snapshot that may decide, or the DENY that stands in its place. */
export function gate(
  standing: Standing,
  moment: Moment,
  minPolicyEpoch: number | undefined,
): EffectivePolicySnapshot | Decision {
  if (standing.status === 'no_policy') {
    return deny('POLICY_NOT_READY', 'no policy is installed for this scope')
  }
  const { snapshot } = standing
  const status = statusAt(standing, moment)
  if (status !== 'active') {
    const [code, reason] = closed[status]
    return deny(code, `${reason} (last verified ${timestamp(standing.verifiedAt)})`, snapshot)
  }
  if (minPolicyEpoch !== undefined && snapshot.policyEpoch < minPolicyEpoch) {
    const reason = `policy epoch ${minPolicyEpoch} was asked for, ${snapshot.policyEpoch} is installed`
    return deny('POLICY_BEHIND', reason, snapshot)
  }
  return snapshot
}

const closed = {
  withdrawn: ['POLICY_WITHDRAWN', 'the source no longer offers policy for this scope'],
  invalid: ['POLICY_INVALIDATED', 'the installed policy was invalidated'],
  expired: ['POLICY_EXPIRED', 'the installed policy has expired'],
  stale: ['POLICY_STALE', 'the installed policy was not verified for too long'],
} as const
