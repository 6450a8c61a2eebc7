import type { Digest } from '../bytes/digest.ts'
import type { Provenance } from '../bundle/verify.ts'
import type { Standing } from '../policy/cell.ts'
import type { Scope } from '../trust/scope.ts'
import { type Moment, type SnapshotStatus, statusAt } from './gate.ts'

/** How one scope's policy stands; times are wall ms. */
export interface PolicyStanding {
  readonly scope: Scope
  readonly status: SnapshotStatus | 'no_policy'
  /** Undefined when no policy was ever installed. */
  readonly policy: InstalledPolicy | undefined
}

export interface InstalledPolicy {
  readonly policyEpoch: number
  readonly policyHash: Digest
  readonly provenance: Provenance
  readonly ruleCount: number
  readonly verifiedAt: number
  readonly expiresAt: number | undefined
  /** When it becomes stale unless it is verified again. */
  readonly staleAt: number | undefined
}

export function standingOf(scope: Scope, standing: Standing, moment: Moment): PolicyStanding {
  if (standing.status === 'no_policy') return { scope, status: 'no_policy', policy: undefined }
  const { snapshot, verifiedAt, maxAge } = standing
  const { policyEpoch, policyHash, provenance, ruleCount, expiresAt } = snapshot
  const staleAt = maxAge === Infinity ? undefined : verifiedAt + maxAge
  return {
    scope,
    status: statusAt(standing, moment),
    policy: { policyEpoch, policyHash, provenance, ruleCount, verifiedAt, expiresAt, staleAt },
  }
}
