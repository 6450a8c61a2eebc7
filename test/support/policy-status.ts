import type { Digest, Scope, Timestamp } from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import type { PolicyAuthority } from '@helm-ai-kernel/http'

export const installedHash = `sha256:${'a'.repeat(64)}` as Digest

/** The status of default/default with signed policy in force, or what a test makes of it. */
export function policyStatus(more: Partial<PolicyStatus> = {}): PolicyStatus {
  return {
    tenant_id: 'default',
    workspace_id: 'default',
    reconcile_status: 'no_change',
    snapshot_status: 'active',
    provenance: 'signed',
    installed_policy_epoch: 7,
    installed_policy_hash: installedHash,
    source: 'mountedFile',
    updated: false,
    last_attempt_at: '2026-11-22T06:00:00.000Z' as Timestamp,
    last_verified_at: '2026-11-22T06:00:00.000Z' as Timestamp,
    age_seconds: 12,
    stale_in_seconds: 588,
    consecutive_failures: 0,
    next_poll_at: '2026-11-22T06:00:10.000Z' as Timestamp,
    ...more,
  }
}

export interface StillAuthority extends PolicyAuthority {
  /** What it was woken for, in order; undefined for every scope. */
  readonly wakes: readonly (Scope | undefined)[]
}

/** An authority whose scopes stand as they are given, read anew each time; a wake changes nothing. */
export function stillAuthority(statuses: () => readonly PolicyStatus[]): StillAuthority {
  const wakes: (Scope | undefined)[] = []
  return {
    wakes,
    wake: async (scope) => void wakes.push(scope),
    statuses,
    status: ({ tenantId, workspaceId }) =>
      statuses().find((one) => one.tenant_id === tenantId && one.workspace_id === workspaceId),
  }
}
