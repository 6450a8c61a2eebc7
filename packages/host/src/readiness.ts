import type { Kernel, KernelError, PolicyStanding } from '@helm-ai-kernel/core'
import type { Finding, Readiness } from '@helm-ai-kernel/http'
import type { Fault } from '@helm-ai-kernel/ledger'
import type { Failure } from './reconcile.ts'

/** Where the parts of the server stand; read at each probe. */
export interface Parts {
  readonly kernel: Kernel
  readonly production: boolean
  /** Why the ledger takes nothing. */
  ledgerFault(): Fault | undefined
  /** Whether the ledger held nothing when it was opened. */
  ledgerIsNew(): boolean
  /** Why the key does not sign in this ledger. */
  keyFault(): KernelError | undefined
  /** Why the newest policy was not installed. */
  policyFailure(): Failure | undefined
  draining(): boolean
}

/** Whether the server may be sent requests, and if not, why and what to do (design 5.2). */
export function readinessOf(parts: Parts): Readiness {
  const standing = parts.kernel.status()
  const reasons = [...draining(parts), ...ledger(parts), ...key(parts), ...policy(parts, standing)]
  return { ready: reasons.length === 0, reasons, warnings: warningsOf(parts, standing) }
}

function draining(parts: Parts): readonly Finding[] {
  if (!parts.draining()) return []
  const detail = 'the server was asked to end and finishes what it has begun'
  return [{ check: 'process', code: 'DRAINING', detail, fix: 'send requests to another one' }]
}

function ledger(parts: Parts): readonly Finding[] {
  const fault = parts.ledgerFault()
  return fault === undefined ? [] : [{ check: 'ledger', ...fault }]
}

function key(parts: Parts): readonly Finding[] {
  const fault = parts.keyFault()
  if (fault === undefined) return []
  const fix = 'set HELM_SIGNING_KEY_FILE to the key before, or HELM_SIGNING_PREVIOUS_KEYS to its id'
  return [{ check: 'key', code: fault.code, detail: fault.message, fix }]
}

function policy(parts: Parts, { status }: PolicyStanding): readonly Finding[] {
  if (status === 'active') return []
  const failure = parts.policyFailure()
  if (failure !== undefined) return [ofFailure(failure)]
  const [code, detail] = closed[status]
  return [
    { check: 'policy', code, detail, fix: 'wait for the policy source, or look into the log' },
  ]
}

const closed = {
  no_policy: ['POLICY_NOT_READY', 'no policy has been installed yet'],
  stale: ['POLICY_STALE', 'the installed policy was not verified for too long'],
  expired: ['POLICY_EXPIRED', 'the installed policy has expired'],
  invalid: ['POLICY_INVALIDATED', 'the installed policy was invalidated'],
  withdrawn: ['POLICY_WITHDRAWN', 'the source no longer offers policy'],
} as const satisfies Record<Exclude<PolicyStanding['status'], 'active'>, readonly string[]>

function ofFailure({ code, reason, fix }: Failure): Finding {
  return { check: 'policy', code, detail: reason, fix }
}

function warningsOf(parts: Parts, { status, policy }: PolicyStanding): readonly Finding[] {
  const warnings: Finding[] = []
  const failure = parts.policyFailure()
  if (status === 'active' && failure !== undefined) warnings.push(ofFailure(failure))
  if (policy?.provenance === 'unsigned') {
    warnings.push({
      check: 'policy',
      code: 'POLICY_UNSIGNED',
      detail: 'the installed policy is not signed: whoever can write to its source decides',
      fix: 'sign policy, and set HELM_POLICY_TRUST_PUBLIC_KEY',
    })
  } else if (parts.production && policy !== undefined && policy.expiresAt === undefined) {
    warnings.push({
      check: 'policy',
      code: 'POLICY_WITHOUT_EXPIRY',
      detail: 'the installed policy never expires: an old one could be kept in its place',
      fix: 'issue bundles with issued_at and expires_at',
    })
  }
  if (parts.ledgerIsNew()) {
    warnings.push({
      check: 'ledger',
      code: 'LEDGER_NEW',
      detail: 'the ledger was empty at start: it remembers no receipt and no policy of before',
      fix: 'if there was a ledger before, stop and mount its data directory',
    })
  }
  return warnings
}
