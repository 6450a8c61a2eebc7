import { canonicalBytes } from '../bytes/canonical.ts'
import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { KernelError } from '../error.ts'
import type { Scope } from '../trust/scope.ts'
import { parseBundle } from './parse.ts'

/** What an author may leave to the one who builds the bundle. */
export interface BundleDefaults {
  readonly scope: Scope
  readonly policyEpoch: number
}

/**
 * Builds canonical bundle bytes from the authoring form (design 2.2): `type`, `scope` and
 * `policy_epoch` may be absent and rules may stand in any order. Nothing comes from a clock, so the
 * same policy has the same bytes. Throws `BUNDLE_MALFORMED`.
 */
export function encodeBundle(authored: Json, defaults: BundleDefaults): Uint8Array {
  if (!isObject(authored)) throw new KernelError('BUNDLE_MALFORMED', 'a policy is an object')
  const { scope, policyEpoch } = defaults
  const document: JsonObject = {
    type: 'helm.policy-bundle/v1',
    scope: { tenant_id: scope.tenantId, workspace_id: scope.workspaceId },
    policy_epoch: policyEpoch,
    ...authored,
    ...(Array.isArray(authored['rules']) && { rules: sorted(authored['rules']) }),
  }
  parseBundle(document)
  return canonicalBytes(document)
}

function sorted(rules: readonly Json[]): readonly Json[] {
  return rules.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : idOf(a) > idOf(b) ? 1 : 0))
}

function idOf(rule: Json): string {
  const id = isObject(rule) ? rule['id'] : undefined
  return typeof id === 'string' ? id : ''
}
