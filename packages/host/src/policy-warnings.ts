import { type InstalledPolicy, type PolicyStanding, timestamp } from '@helm-ai-kernel/core'
import { type PolicyStatus, remedyOf } from '@helm-ai-kernel/core/reconcile'
import type { Finding } from '@helm-ai-kernel/http'

/** What an operator should know of policy that decides all the same. */
export function policyWarnings(
  { status, policy }: PolicyStanding,
  { reason_code: code, reason = '' }: Pick<PolicyStatus, 'reason_code' | 'reason'>,
  production: boolean,
): readonly Finding[] {
  if (policy === undefined) return []
  const { provenance, expiresAt } = policy
  const warnings: Finding[] = []
  if (status === 'active' && code !== undefined && code !== 'POLICY_NOT_READY') {
    warnings.push({ check: 'policy', code, detail: reason, fix: remedyOf(code) })
  }
  if (provenance === 'unsigned') {
    warnings.push({
      check: 'policy',
      code: 'POLICY_UNSIGNED',
      detail: 'the installed policy is not signed: whoever can write to its source decides',
      fix: 'sign policy, and set HELM_POLICY_TRUST_PUBLIC_KEY',
    })
  } else if (production && expiresAt === undefined) {
    warnings.push({
      check: 'policy',
      code: 'POLICY_WITHOUT_EXPIRY',
      detail: 'the installed policy never expires: an old one could be kept in its place',
      fix: 'issue bundles with issued_at and expires_at',
    })
  }
  if (status === 'active' && expiresAt !== undefined && isNearItsEnd(policy, expiresAt)) {
    warnings.push({
      check: 'policy',
      code: 'POLICY_EXPIRES_SOON',
      detail: `the installed policy expires at ${timestamp(expiresAt)}: less than a fifth of its life is left`,
      fix: 'issue a newer bundle',
    })
  }
  return warnings
}

function isNearItsEnd(policy: InstalledPolicy, expiresAt: number): boolean {
  const { issuedAt = policy.activatedAt, verifiedAt, age } = policy
  return expiresAt - (verifiedAt + age) < (expiresAt - issuedAt) / 5
}
