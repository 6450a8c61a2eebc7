import { isObject, type Json, type JsonObject } from '@helm-ai-kernel/core'

/** A kernel's answer about policy: the status of one scope, or of several. Empty when it is neither. */
export function statusesIn(body: Json): readonly JsonObject[] {
  if (!isObject(body)) return []
  const { scopes } = body
  const statuses: readonly Json[] = Array.isArray(scopes) ? scopes : [body]
  return statuses.filter(isObject).filter((one) => typeof one['reconcile_status'] === 'string')
}

export function isActive(status: JsonObject): boolean {
  return status['snapshot_status'] === 'active'
}

/** Whether the newest attempt ended well. */
export function isReconciled({ reconcile_status: status }: JsonObject): boolean {
  return status === 'ok' || status === 'no_change'
}

export function scopeIn(status: JsonObject): string {
  return `${text(status['tenant_id'])}/${text(status['workspace_id'])}`
}

/** Lines for people: what is in force, how the newest attempt ended, what the source offers, and when. */
export function statusLines(status: JsonObject): readonly string[] {
  const { installed_policy_hash: installed, desired_policy_hash: desired } = status
  return [
    line(
      `${isActive(status) ? 'ready' : 'fail'} ${scopeIn(status)}`,
      text(status['snapshot_status']),
      part('epoch', status['installed_policy_epoch']),
      part('', installed),
      part('', status['provenance']),
      part('age', status['age_seconds'], 's'),
      part('stale in', status['stale_in_seconds'], 's'),
      part('expires', status['expires_at']),
    ),
    line(`  ${isReconciled(status) ? 'pass' : 'fail'} reconcile ${reconcileLine(status)}`),
    ...(desired === undefined || desired === installed
      ? []
      : [line('  offered', part('epoch', status['desired_policy_epoch']), text(desired))]),
    line(
      '  source',
      text(status['source']),
      part('asked', status['last_attempt_at']),
      part('failures', status['consecutive_failures']),
      part('next poll', status['next_poll_at']),
    ),
  ]
}

/** How the newest attempt ended, and what to do when it did not end well. */
export function reconcileLine(status: JsonObject): string {
  const ended = text(status['reconcile_status'])
  const code = status['reason_code']
  return code === undefined ? ended : `${ended} ${text(code)}: ${text(status['reason'])}`
}

function line(...parts: readonly (string | undefined)[]): string {
  return parts.filter((one) => one !== undefined).join('  ')
}

/** Undefined when there is no value. */
function part(name: string, value: Json | undefined, unit = ''): string | undefined {
  if (value === undefined || value === null) return undefined
  return `${name} ${text(value)}${unit}`.trim()
}

function text(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-'
}
