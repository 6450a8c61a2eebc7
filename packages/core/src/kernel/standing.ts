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
  readonly activatedAt: number
  readonly verifiedAt: number
  /** Ms since the last verification, by the clock that says more. */
  readonly age: number
  readonly issuedAt: number | undefined
  readonly expiresAt: number | undefined
  /** Ms after a verification at which it is stale; undefined when it never is. */
  readonly maxAge: number | undefined
}

export function standingOf(scope: Scope, standing: Standing, moment: Moment): PolicyStanding {
  if (standing.status === 'no_policy') return { scope, status: 'no_policy', policy: undefined }
  const { snapshot, verifiedAt, verifiedMonotonic, activatedAt } = standing
  const { policyEpoch, policyHash, provenance, ruleCount, issuedAt, expiresAt } = snapshot
  const maxAge = standing.maxAge === Infinity ? undefined : standing.maxAge
  const age = Math.max(moment.wall - verifiedAt, moment.monotonic - verifiedMonotonic)
  return {
    scope,
    status: statusAt(standing, moment),
    policy: {
      policyEpoch,
      policyHash,
      provenance,
      ruleCount,
      activatedAt,
      verifiedAt,
      age,
      issuedAt,
      expiresAt,
      maxAge,
    },
  }
}
