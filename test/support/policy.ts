import { canonicalBytes, type Json, nobleCrypto, noTrust, scopeOf } from '@helm-ai-kernel/core'
import { decode, encodeBundle, verify, type VerifiedBundle } from '@helm-ai-kernel/core/bundle'
import {
  type AuthFacts,
  compile,
  type EffectivePolicySnapshot,
  type Facts,
  factsOf,
  parseRequest,
  type RequestInput,
} from '@helm-ai-kernel/core/policy'

export const scope = scopeOf('default', 'default')
/** 2026-11-22T06:00:00.000Z */
export const now = Date.UTC(2026, 10, 22, 6)

export const auth: AuthFacts = {
  tenant_id: 'default',
  workspace_id: 'default',
  credential: 'agent',
  roles: ['decide'],
  surface: 'evaluate',
}

/** Bundle bytes of these rules, in the authoring form. */
export function bundleOf(rules: readonly Json[], more: Record<string, Json> = {}): Uint8Array {
  return encodeBundle({ rules, ...more }, { scope, policyEpoch: 1 })
}

/** What the kernel makes of bytes that nobody signed, checked for scope and form. */
export function decodeUnsigned(bytes: Uint8Array): VerifiedBundle {
  const unverified = { bytes, signatures: [], policyHash: undefined }
  const verification = { trust: noTrust, scope, signatureRequired: false }
  return decode(verify(unverified, verification, nobleCrypto), { now })
}

export function snapshotOf(
  rules: readonly Json[],
  more: Record<string, Json> = {},
): EffectivePolicySnapshot {
  return compile(decodeUnsigned(bundleOf(rules, more)))
}

/** The document as it stands, canonical but otherwise unchecked. */
export function rawBundle(more: Record<string, Json>): Uint8Array {
  return canonicalBytes({
    type: 'helm.policy-bundle/v1',
    scope: { tenant_id: 'default', workspace_id: 'default' },
    policy_epoch: 1,
    rules: [],
    ...more,
  })
}

export function facts(
  request: Partial<RequestInput> = {},
  snapshot?: EffectivePolicySnapshot,
): Facts | undefined {
  const parsed = parseRequest({ principal: 'agent:test', action: 'a', ...request })
  return factsOf(parsed, snapshot?.resourcesFrom, auth, now)
}
