import type { EffectivePolicySnapshot } from '@helm-ai-kernel/core/policy'
import { table } from '../print.ts'
import type { Change, Replay, Tally } from './replay.ts'

/** What was replayed, for the answer. */
export interface Subject {
  readonly scope: string
  /** The candidate's file, and what is in it. */
  readonly file: string
  readonly policy: Pick<EffectivePolicySnapshot, 'policyEpoch' | 'policyHash'>
}

/** INVARIANT: 0 only when something was compared, all of it was trustworthy, and nothing changes. */
export function codeOf({ changed, unchanged, absent, altered }: Replay): number {
  if (altered.count > 0) return 2
  if (changed + unchanged === 0 && absent.count > 0) return 2
  return changed > 0 ? 1 : 0
}

export function documentOf(replay: Replay, { scope, file, policy }: Subject): object {
  const { changed, unchanged, unchecked, absent, altered, notByRules } = replay
  return {
    scope,
    candidate: { file, policy_epoch: policy.policyEpoch, policy_hash: policy.policyHash },
    counts: {
      changed,
      unchanged,
      unchecked,
      not_stored: absent.count,
      altered: altered.count,
      not_by_rules: Object.fromEntries(notByRules),
    },
    more: replay.isCut,
    changes: replay.changes.map(changeOf),
    changes_left_out: changed - replay.changes.length,
    not_stored: absent.first,
    altered: altered.first,
  }
}

function changeOf({ receiptId, recorded, candidate }: Change): object {
  return {
    receipt_id: receiptId,
    seq: recorded.seq,
    time: recorded.time,
    principal: recorded.principal,
    action: recorded.action,
    resource: recorded.resource,
    session_id: recorded.session_id,
    recorded: {
      verdict: recorded.verdict,
      reason_code: recorded.reason_code,
      rule_ids: recorded.rule_ids,
      policy_epoch: recorded.policy_epoch,
      policy_hash: recorded.policy_hash,
    },
    candidate: {
      verdict: candidate.verdict,
      reason_code: candidate.reasonCode,
      rule_ids: candidate.ruleIds,
    },
  }
}

export function linesOf(replay: Replay, { scope }: Subject): readonly string[] {
  const { changed, unchanged, unchecked, absent, altered, notByRules } = replay
  const leftOut = changed - replay.changes.length
  const others = [...notByRules].map(([code, count]) => `${count} ${code}`)
  const compared = changed + unchanged
  const told: readonly (readonly [boolean, string])[] = [
    [leftOut > 0, `and ${leftOut} more`],
    [true, `${changed} of ${compared} verdicts in ${scope} would change`],
    [others.length > 0, `not replayed, for no rule decided: ${others.join(', ')}`],
    [absent.count > 0, `not replayed, for the arguments are not stored: ${named(absent)}`],
    [
      unchecked > 0,
      `${unchecked} not checked against receipts: no --signing-key-file has their key`,
    ],
    [replay.isCut, 'there are more decisions than --limit'],
    [
      altered.count > 0,
      `warning: stored arguments are not those of their receipt: ${named(altered)}`,
    ],
    [compared === 0 && absent.count > 0, 'warning: nothing could be compared'],
  ]
  const rows = replay.changes.map(rowOf)
  const header = ['seq', 'time', 'principal', 'action', 'resource', 'verdict', 'rule']
  return [
    ...(rows.length === 0 ? [] : [...table([header, ...rows])]),
    ...told.filter(([holds]) => holds).map(([, line]) => line),
  ]
}

function rowOf({ recorded, candidate }: Change): readonly string[] {
  const { seq, time, principal, action, resource, verdict } = recorded
  const rule = candidate.ruleIds[0] ?? candidate.reasonCode
  const more = candidate.ruleCount > 1 ? ` and ${candidate.ruleCount - 1} more` : ''
  const change = `${verdict} → ${candidate.verdict}`
  return [`${seq}`, time, principal, action, resource, change, `${rule}${more}`]
}

function named({ count, first }: Tally): string {
  const more = count > first.length ? ', …' : ''
  return `${count} (${first.join(', ')}${more})`
}
