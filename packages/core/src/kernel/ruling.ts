import { encodeHex } from '../bytes/hex.ts'
import { timestamp } from '../bytes/time.ts'
import type { Standing } from '../policy/cell.ts'
import { decide } from '../policy/decide.ts'
import { type Decision, deny } from '../policy/decision.ts'
import { factsOf } from '../policy/facts.ts'
import type { Request } from '../policy/request.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { ScopeState } from '../ports/receipt-store.ts'
import { saltedHash } from '../receipt/salted-hash.ts'
import type { DecisionBody } from '../receipt/statement.ts'
import type { Caller } from './caller.ts'
import { gate, type Moment } from './gate.ts'

/** A decision with all that its receipt says of how it came about. */
export interface Ruling {
  readonly request: Request
  readonly caller: Caller
  /** Read once: no decision mixes two policies. */
  readonly standing: Standing
  readonly decision: Decision
  /** The request's own, or the one that `resources_from` found. */
  readonly resource: string
}

/** Decides a request on the policy as it stands at a moment. */
export function rule(request: Request, caller: Caller, standing: Standing, moment: Moment): Ruling {
  const ruling = { request, caller, standing, resource: request.resource }
  const policy = gate(standing, moment, request.minPolicyEpoch)
  if ('verdict' in policy) return { ...ruling, decision: policy }
  if (request.approvalId !== undefined) {
    return { ...ruling, decision: deny('APPROVAL_UNKNOWN', 'there is no such approval', policy) }
  }
  const { scope, credential, roles, surface } = caller
  const auth = {
    tenant_id: scope.tenantId,
    workspace_id: scope.workspaceId,
    credential,
    roles,
    surface,
  }
  const facts = factsOf(request, policy.resourcesFrom, auth, moment.wall)
  const decision = decide(policy, facts)
  return { ...ruling, decision, resource: facts?.resource ?? '' }
}

/** The receipt of a ruling; `salt` is the one that belongs to `requestId`. */
export function decisionBody(
  { request, caller, standing, decision, resource }: Ruling,
  requestId: Uint8Array,
  salt: Uint8Array,
  crypto: Crypto,
): DecisionBody {
  const policy = standing.status === 'no_policy' ? undefined : standing
  return {
    kind: 'decision',
    surface: caller.surface,
    request_id: encodeHex(requestId),
    auth: { credential: caller.credential, method: caller.method },
    principal: request.principal,
    session_id: request.sessionId,
    action: request.action,
    resource,
    args_hash: saltedHash(crypto, 'args', salt, request.args),
    context_hash: saltedHash(crypto, 'context', salt, request.context),
    policy_epoch: decision.policyEpoch,
    policy_hash: decision.policyHash,
    policy_signed: policy === undefined ? null : policy.snapshot.provenance === 'signed',
    policy_verified_at: policy === undefined ? null : timestamp(policy.verifiedAt),
    verdict: decision.verdict,
    reason_code: decision.reasonCode,
    rule_ids: decision.ruleIds,
    ...(decision.ruleCount > decision.ruleIds.length && { rule_count: decision.ruleCount }),
    links: {},
  }
}

/** Whether the scope's log already holds an activation newer than the policy that decided. */
export function isBehind(
  body: DecisionBody,
  { signed, signedOnly, unsigned }: ScopeState,
): boolean {
  if (body.policy_epoch === null) return false
  if (body.policy_signed === true) return body.policy_epoch < (signed?.epoch ?? 0)
  return signedOnly || body.policy_epoch < (unsigned?.epoch ?? 0)
}
