import type { Digest } from '../bytes/digest.ts'
import type { Json, JsonObject } from '../bytes/json.ts'
import type { ReasonCode } from '../reason.ts'
import type { Verdict } from '../receipt/statement.ts'
import type { Scope } from '../trust/scope.ts'

/** A policy bundle, `helm.policy-bundle/v1` (design 2.2), after its form was checked. */
export interface PolicyBundle {
  readonly scope: Scope
  /** Which kernels it is for; undefined when it is for any. */
  readonly audience: readonly string[] | undefined
  readonly policyEpoch: number
  /** Milliseconds since the epoch. */
  readonly issuedAt: number | undefined
  readonly expiresAt: number | undefined
  /** For an action whose caller gives no resource: the path of the argument that is its resource. */
  readonly resourcesFrom: ReadonlyMap<string, string>
  /** Sorted by id, strictly ascending. */
  readonly rules: readonly Rule[]
  readonly tests: readonly SelfTest[]
  readonly metadata: Readonly<Record<string, string>>
}

/** One rule, as it stands in the bundle. */
export interface Rule {
  readonly id: string
  readonly effect: Verdict
  /** A pattern is an exact string, a prefix and `*`, or `*`. */
  readonly actions: readonly string[]
  readonly principals?: readonly string[]
  readonly resources?: readonly string[]
  readonly when?: Json
  /** A sentence for whoever is refused. */
  readonly reason?: string
  /** Who may approve; on ESCALATE rules only. */
  readonly approval?: ApprovalRule
}

export interface ApprovalRule {
  readonly by?: readonly string[]
  readonly count?: number
  /** A duration such as `15m`. */
  readonly expires_in?: string
}

/** A request and what the policy must say of it, checked before the policy is activated. */
export interface SelfTest {
  readonly name: string
  readonly request: {
    readonly principal: string
    readonly action: string
    readonly resource?: string
    readonly session_id?: string
    readonly args?: JsonObject
    readonly context?: JsonObject
  }
  readonly expect: {
    readonly verdict: Verdict
    readonly rule_id?: string
    readonly reason_code?: ReasonCode
  }
}

/** What a bundle is known by. */
export interface BundleRef {
  readonly scope: Scope
  readonly policyEpoch: number
  readonly policyHash: Digest
}
