import type { JsonObject } from '@helm-ai-kernel/core'
import type { PolicyAttempt, PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import type { Log } from './log.ts'

/** Tells the log what becomes of policy: one line for each change of a scope's state. */
export interface PolicyLog {
  attempt(attempt: PolicyAttempt): void
  /** Kept policy is in force again. */
  restored(status: PolicyStatus): void
}

export function createPolicyLog(log: Log): PolicyLog {
  /** By scope: why its newest attempt failed, empty when it did not. */
  const told = new Map<string, string>()

  return {
    attempt({ class: kind, status }) {
      const { tenant_id, workspace_id, reason_code = '', reason = '' } = status
      const scope = `${tenant_id}/${workspace_id}`
      const before = told.get(scope)
      const now = kind === 'good' ? '' : `${reason_code} ${reason}`
      told.set(scope, now)
      if (status.updated && kind === 'good') log.info('policy activated', fields(status))
      else if (now === '' && before) log.info('policy source is good again', fields(status))
      if (now === '' || now === before) return
      const said = outcome(status)
      log.error(kind === 'hostile' ? `${said}; no honest source sends this` : said, fields(status))
    },
    restored: (status) => log.info('policy resumed', fields(status)),
  }
}

function outcome({ snapshot_status }: PolicyStatus): string {
  if (snapshot_status === 'withdrawn') return 'policy withdrawn, everything is denied'
  return snapshot_status === 'active'
    ? 'policy not updated, the installed one stays'
    : 'policy not installed'
}

/** What a person looks at; the rest is in the status. */
function fields(status: PolicyStatus): JsonObject {
  const { reason_code, reason, provenance, source, age_seconds, expires_at } = status
  const failed = reason_code !== undefined
  const members = {
    code: reason_code,
    reason,
    policy_epoch: status.installed_policy_epoch,
    policy_hash: status.installed_policy_hash,
    desired_policy_epoch: failed ? status.desired_policy_epoch : undefined,
    desired_policy_hash: failed ? status.desired_policy_hash : undefined,
    snapshot_status: status.snapshot_status,
    provenance,
    age_seconds,
    expires_at,
    scope: `${status.tenant_id}/${status.workspace_id}`,
    source,
  }
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  )
}
