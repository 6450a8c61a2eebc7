import type { Brand } from '../bytes/brand.ts'
import type { Digest } from '../bytes/digest.ts'
import type { Provenance } from '../bundle/verify.ts'
import type { KeyId } from '../crypto/key-id.ts'
import type { Scope } from '../trust/scope.ts'
import type { Decision } from './decision.ts'
import type { RuleIndex } from './rule-index.ts'

interface Snapshot {
  readonly scope: Scope
  readonly policyEpoch: number
  readonly policyHash: Digest
  readonly provenance: Provenance
  readonly keyIds: readonly KeyId[]
  readonly audience: readonly string[] | undefined
  /** Milliseconds since the epoch; undefined when the bundle has none. */
  readonly issuedAt: number | undefined
  readonly expiresAt: number | undefined
  readonly ruleCount: number
  readonly resourcesFrom: ReadonlyMap<string, string>
  readonly rules: RuleIndex
  /** The decision when no rule matches. */
  readonly unmatched: Decision
}

/** A policy, compiled and immutable: what decides. Only `compile` makes one. */
export type EffectivePolicySnapshot = Brand<Snapshot, 'EffectivePolicySnapshot'>
