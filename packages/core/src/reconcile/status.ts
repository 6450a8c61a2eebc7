import type { Digest } from '../bytes/digest.ts'
import { type Timestamp, timestamp } from '../bytes/time.ts'
import type { Provenance } from '../bundle/verify.ts'
import type { Head } from '../bundle/head.ts'
import type { ErrorCode } from '../error.ts'
import type { SnapshotStatus } from '../kernel/gate.ts'
import type { InstalledPolicy, PolicyStanding } from '../kernel/standing.ts'

/**
 * How one scope's policy stands, for operators: the same object in the wake route's answer, the status
 * route, the command line, the log and `/readyz` (design 3.2). Its members are those of the wire.
 */
export interface PolicyStatus {
  readonly tenant_id: string
  readonly workspace_id: string
  /** How the newest attempt ended. */
  readonly reconcile_status: ReconcileStatus
  /** Why it did not end well, and a sentence that says what to do; absent when it did. */
  readonly reason_code?: ErrorCode
  readonly reason?: string
  readonly snapshot_status: SnapshotStatus | 'no_policy'
  /** Null while there is no policy. */
  readonly provenance: Provenance | null
  readonly installed_policy_epoch?: number
  readonly installed_policy_hash?: Digest
  /** What the newest head named. */
  readonly desired_policy_epoch?: number
  readonly desired_policy_hash?: Digest
  readonly bundle_ref?: string
  /** Kind of the source. */
  readonly source: string
  /** Whether the newest attempt activated other policy. */
  readonly updated: boolean
  readonly last_attempt_at: Timestamp | null
  readonly last_verified_at: Timestamp | null
  readonly activated_at?: Timestamp
  /** Since the last verification; null while there is no policy. */
  readonly age_seconds: number | null
  /** Until the policy is stale unless it is verified again; 0 when it is. */
  readonly stale_in_seconds?: number
  readonly expires_at?: Timestamp
  readonly consecutive_failures: number
  readonly next_poll_at: Timestamp | null
}

export type ReconcileStatus =
  'ok' | 'no_change' | 'source_error' | 'invalid' | 'compile_error' | 'validate_error'

/** What a reconciler remembers of its attempts at one scope. Times are wall ms. */
export interface Attempts {
  /** How the newest ended; undefined before the first. */
  readonly ended:
    | { readonly status: 'ok' | 'no_change' }
    | {
        readonly status: Exclude<ReconcileStatus, 'ok' | 'no_change'>
        readonly code: ErrorCode
        readonly reason: string
      }
    | undefined
  readonly head: Head | undefined
  readonly at: number | undefined
  readonly failures: number
  readonly nextAt: number | undefined
}

const notYet = {
  status: 'source_error',
  code: 'POLICY_NOT_READY',
  reason: 'the policy source was not asked yet: wait for the first attempt',
} as const

/** The status of a scope whose policy stands so, after these attempts. */
export function statusOf(
  { scope, status, policy }: PolicyStanding,
  source: string,
  { ended = notYet, head, at, failures, nextAt }: Attempts,
): PolicyStatus {
  return Object.freeze({
    tenant_id: scope.tenantId,
    workspace_id: scope.workspaceId,
    reconcile_status: ended.status,
    ...('code' in ended && { reason_code: ended.code, reason: ended.reason }),
    snapshot_status: status,
    provenance: policy?.provenance ?? null,
    ...(policy !== undefined && {
      installed_policy_epoch: policy.policyEpoch,
      installed_policy_hash: policy.policyHash,
    }),
    ...(head?.policyEpoch !== undefined && { desired_policy_epoch: head.policyEpoch }),
    ...(head !== undefined && { desired_policy_hash: head.policyHash, bundle_ref: head.bundleRef }),
    source,
    updated: ended.status === 'ok',
    last_attempt_at: timeOf(at),
    next_poll_at: timeOf(nextAt),
    consecutive_failures: failures,
    ...times(policy),
  })
}

function times(
  policy: InstalledPolicy | undefined,
): Pick<PolicyStatus, 'last_verified_at' | 'age_seconds'> & Partial<PolicyStatus> {
  if (policy === undefined) return { last_verified_at: null, age_seconds: null }
  const { activatedAt, verifiedAt, age, maxAge, expiresAt } = policy
  return {
    activated_at: timestamp(activatedAt),
    last_verified_at: timestamp(verifiedAt),
    age_seconds: Math.max(0, Math.floor(age / 1000)),
    ...(maxAge !== undefined && {
      stale_in_seconds: Math.max(0, Math.floor((maxAge - age) / 1000)),
    }),
    ...(expiresAt !== undefined && { expires_at: timestamp(expiresAt) }),
  }
}

function timeOf(ms: number | undefined): Timestamp | null {
  return ms === undefined ? null : timestamp(ms)
}
