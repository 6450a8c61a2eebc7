import {
  type Kernel,
  type KernelError,
  type LedgerFault,
  type Scope,
  scopeKey,
} from '@helm-ai-kernel/core'
import { type PolicyStatus, type Reconciler, remedyOf } from '@helm-ai-kernel/core/reconcile'
import type { Finding, Readiness } from '@helm-ai-kernel/http'
import { policyWarnings } from './policy-warnings.ts'

/** Where the parts of the server stand; read at each probe. */
export interface Parts {
  readonly kernel: Pick<Kernel, 'scope' | 'status'>
  readonly policy: Pick<Reconciler, 'status' | 'statuses' | 'counts' | 'listingFault'>
  /** Whose policy must be active (`HELM_READY_SCOPES`). */
  readonly readyScopes: 'runtime' | 'all' | readonly Scope[]
  readonly production: boolean
  /** Why the ledger takes nothing. */
  ledgerFault(): LedgerFault | undefined
  /** Whether the ledger held nothing when it was opened. */
  ledgerIsNew(): boolean
  /** Why the key does not sign in this ledger. */
  keyFault(): KernelError | undefined
  /** Why the file of the trust root is not what is in force. */
  trustFault(): KernelError | undefined
  /** What an operator should know of the ledger. */
  ledgerWarnings(): readonly string[]
  /** Whether the disk of the data directory is nearly full. */
  diskWarning(): Finding | undefined
  draining(): boolean
}

/** Whether the server may be sent requests, and if not, why and what to do (design 5.2). */
export function readinessOf(parts: Parts): Readiness {
  const reasons = [...draining(parts), ...ledger(parts), ...key(parts), ...policy(parts)]
  return { ready: reasons.length === 0, reasons, warnings: warningsOf(parts) }
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
  const fix = 'set HELM_SIGNING_KEY_FILE to the seed of the key that the ledger names'
  return [{ check: 'key', code: fault.code, detail: fault.message, fix }]
}

/** So many scopes are told of; the status route has the rest. */
const maxTold = 10

function policy(parts: Parts): readonly Finding[] {
  const { policy, readyScopes, kernel } = parts
  if (readyScopes !== 'all') {
    const scopes = readyScopes === 'runtime' ? [kernel.scope] : readyScopes
    return scopes
      .flatMap((scope) => inactive(scopeKey(scope), policy.status(scope)))
      .slice(0, maxTold)
  }
  const fault = policy.listingFault()
  const listing = fault === undefined ? [] : [findingOf(fault)]
  // What the source has withdrawn is denied on purpose.
  const { stale, expired, invalid, no_policy } = policy.counts()
  if (stale + expired + invalid + no_policy === 0) return listing
  const statuses = policy.statuses().filter((status) => status.snapshot_status !== 'withdrawn')
  const found = statuses.flatMap((status) =>
    inactive(`${status.tenant_id}/${status.workspace_id}`, status),
  )
  return [...listing, ...found].slice(0, maxTold)
}

/** Why a scope has no policy that decides; its last failure says most. */
function inactive(scope: string, status: PolicyStatus | undefined): readonly Finding[] {
  if (status?.snapshot_status === 'active') return []
  const [code, detail] = closed[status?.snapshot_status ?? 'no_policy']
  const fix = 'wait for the policy source, or look into the log'
  if (status?.reason_code === undefined || status.reason_code === 'POLICY_NOT_READY') {
    return [{ check: 'policy', code, detail: `${scope}: ${detail}`, fix }]
  }
  const { reason_code: cause, reason = '' } = status
  return [
    {
      check: 'policy',
      code: cause,
      detail: `${scope}: ${detail}; ${reason}`,
      fix: remedyOf(cause),
    },
  ]
}

const closed = {
  no_policy: ['POLICY_NOT_READY', 'no policy has been installed yet'],
  stale: ['POLICY_STALE', 'the installed policy was not verified for too long'],
  expired: ['POLICY_EXPIRED', 'the installed policy has expired'],
  invalid: ['POLICY_INVALIDATED', 'the installed policy was invalidated'],
  withdrawn: ['POLICY_WITHDRAWN', 'the source no longer offers policy'],
} as const satisfies Record<Exclude<PolicyStatus['snapshot_status'], 'active'>, readonly string[]>

function findingOf({ code, message }: KernelError): Finding {
  return { check: 'policy', code, detail: message, fix: remedyOf(code) }
}

function warningsOf(parts: Parts): readonly Finding[] {
  const { policy, kernel, production } = parts
  const attempts = policy.status(kernel.scope) ?? {}
  const warnings = [...policyWarnings(kernel.status(), attempts, production)]
  const fault = parts.trustFault()
  if (fault !== undefined) warnings.push({ ...findingOf(fault), check: 'trust' })
  for (const detail of parts.ledgerWarnings()) {
    const fix = 'run `ledger verify`; the documentation of the ledger has each warning'
    warnings.push({ check: 'ledger', code: 'LEDGER_WARNING', detail, fix })
  }
  const disk = parts.diskWarning()
  if (disk !== undefined) warnings.push(disk)
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
