import { type JsonObject, timestamp } from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import type { Ready } from './object.ts'

/** The status of a HelmPolicyBundle, and when its condition came to be what it is. */
export interface ObjectStatus {
  readonly json: JsonObject
  readonly ready: Ready
}

const maxText = 4096

/**
 * What one attempt says on an object of that `generation`, as a merge patch: null takes away. `before` is the
 * condition that it follows, whose time stays while its status does.
 */
export function objectStatus(
  status: PolicyStatus,
  generation: number,
  before: Ready | undefined,
  now: number,
): ObjectStatus {
  const isDone = status.reconcile_status === 'ok' || status.reconcile_status === 'no_change'
  const isReady = isDone && status.snapshot_status === 'active'
  const value = isReady ? 'True' : 'False'
  const ready: Ready = before?.status === value ? before : { status: value, since: now }
  const reason = status.reason?.slice(0, maxText)
  return {
    ready,
    json: {
      observedGeneration: generation,
      conditions: [
        {
          type: 'Ready',
          status: value,
          observedGeneration: generation,
          lastTransitionTime: timestamp(ready.since),
          reason: status.reason_code ?? (isReady ? 'Installed' : status.snapshot_status),
          message: reason ?? (isReady ? 'the policy is in force' : 'the policy is not in force'),
        },
      ],
      installedPolicyEpoch: status.installed_policy_epoch ?? null,
      installedPolicyHash: status.installed_policy_hash ?? null,
      reasonCode: status.reason_code ?? null,
      reason: reason ?? null,
      lastAttemptAt: status.last_attempt_at,
    },
  }
}

/** Whether two say the same but for the moments at which they do. */
export function saysTheSame(a: JsonObject, b: JsonObject): boolean {
  return timeless(a) === timeless(b)
}

function timeless(status: JsonObject): string {
  return JSON.stringify(status, (name, value: unknown) =>
    name === 'lastAttemptAt' || name === 'lastTransitionTime' ? undefined : value,
  )
}
