import { parseTimestamp } from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'

/** One number about the policy of one scope. */
export interface ScopeGauge {
  readonly help: string
  /** Undefined while there is none: then the scope has no such series. */
  valueOf(status: PolicyStatus): number | undefined
}

/** By name, what is told of each scope. */
export const scopeGauges: Readonly<Record<string, ScopeGauge>> = {
  helm_policy_ready: {
    help: 'Whether the policy of the scope is active: 1, or 0 when everything is denied.',
    valueOf: ({ snapshot_status: status }) => (status === 'active' ? 1 : 0),
  },
  helm_policy_epoch: {
    help: 'Epoch of the installed policy.',
    valueOf: (status) => status.installed_policy_epoch,
  },
  helm_policy_age_seconds: {
    help: 'Time since the installed policy was last verified.',
    valueOf: (status) => status.age_seconds ?? undefined,
  },
  helm_policy_last_verified_timestamp_seconds: {
    help: 'When the installed policy was last verified, as Unix time.',
    valueOf: (status) => unixTime(status.last_verified_at),
  },
  helm_policy_stale_in_seconds: {
    help: 'Time until the installed policy is stale unless it is verified again.',
    valueOf: (status) => status.stale_in_seconds,
  },
  helm_policy_consecutive_failures: {
    help: 'Attempts to reconcile that failed since one last succeeded.',
    valueOf: (status) => status.consecutive_failures,
  },
}

function unixTime(at: PolicyStatus['last_verified_at']): number | undefined {
  const ms = at === null ? undefined : parseTimestamp(at)
  return ms === undefined ? undefined : ms / 1000
}
