import type { Digest } from '../bytes/digest.ts'
import type { Timestamp } from '../bytes/time.ts'
import type { ReasonCode } from '../reason.ts'
import type { KeyId } from '../crypto/key-id.ts'

/**
 * The statement of a receipt, `helm.receipt/v1` (design 2.6), in its signed form: these are the members
 * of the canonical JSON, so they keep their wire names.
 */
export type Statement = StatementHead & Body

/** What every kind of receipt has. The ledger fills these in when it seals a draft. */
export interface StatementHead {
  readonly type: 'helm.receipt/v1'
  /** 16 random bytes, hex: fixed when the ledger was made. */
  readonly ledger_id: string
  /** Version of the kernel that signed. */
  readonly kernel: string
  readonly key_id: KeyId
  readonly scope: WireScope
  /** 1, 2, 3 … within the scope, no gap. */
  readonly seq: number
  /** Digest of the scope's previous entry; of the chain's opening text for the first. */
  readonly prev: Digest
  /** Never falls within a ledger. */
  readonly time: Timestamp
}

export interface WireScope {
  readonly tenant_id: string
  readonly workspace_id: string
}

export type Verdict = 'ALLOW' | 'DENY' | 'ESCALATE'
export type Surface = 'evaluate' | 'batch' | 'proxy' | 'mcp' | 'embed'
export type AuthMethod = 'key' | 'embed'

export interface Auth {
  /** Name of the credential; empty when embedded. */
  readonly credential: string
  readonly method: AuthMethod
}

/** What a statement says beyond its head: one form a kind. */
export type Body =
  | DecisionBody
  | OutcomeBody
  | ActivationBody
  | RejectionBody
  | ForgetBody
  | ApprovalBody
  | ToolBody
  | KeyBody
  | TrustBody

export type Kind = Body['kind']

export interface DecisionBody {
  readonly kind: 'decision'
  readonly surface: Surface
  /** 16 random bytes, hex; the salt of the hashes is made from it. */
  readonly request_id: string
  readonly auth: Auth
  readonly principal: string
  readonly session_id: string
  readonly action: string
  readonly resource: string
  readonly args_hash: Digest
  readonly context_hash: Digest
  /** The four policy members are null exactly when there was no policy. */
  readonly policy_epoch: number | null
  readonly policy_hash: Digest | null
  readonly policy_signed: boolean | null
  readonly policy_verified_at: Timestamp | null
  readonly verdict: Verdict
  readonly reason_code: ReasonCode
  /** Matching rules of the winning effect, sorted, at most 64. */
  readonly rule_ids: readonly string[]
  /** How many matched; present only when more than 64 did. */
  readonly rule_count?: number
  readonly links: Links
}

export interface Links {
  readonly decision?: string
  readonly approval?: string
  readonly previous?: string
  readonly idempotency?: string
  readonly tool_call_id?: string
}

export interface OutcomeBody {
  readonly kind: 'outcome'
  readonly status: 'ok' | 'error' | 'aborted'
  readonly output_hash: Digest | null
  /** `decision` is the receipt id of the ALLOW that this is the outcome of. */
  readonly links: Links & { readonly decision: string }
}

export interface ActivationBody {
  readonly kind: 'activation'
  readonly policy_epoch: number
  readonly policy_hash: Digest
  readonly signed: boolean
  /** Keys whose signatures counted, sorted; empty when unsigned. */
  readonly key_ids: readonly KeyId[]
  readonly source: string
  readonly bundle_ref: string
  readonly previous_epoch: number | null
  readonly previous_hash: Digest | null
}

export interface RejectionBody {
  readonly kind: 'rejection'
  readonly reason_code: ReasonCode
  readonly desired_epoch: number | null
  readonly desired_hash: Digest | null
  readonly source: string
}

/** Lets unsigned policy follow signed policy in the scope, until policy is signed again (design 2.5). */
export interface ForgetBody {
  readonly kind: 'forget'
  /** The newest signed activation. */
  readonly previous_epoch: number
  readonly previous_hash: Digest
}

export interface ApprovalBody {
  readonly kind: 'approval'
  readonly event: 'requested' | 'granted' | 'denied' | 'consumed' | 'expired'
  readonly approval_id: string
  readonly request_digest: Digest
  readonly policy_hash: Digest
  readonly expires_at: Timestamp
  readonly principal: string
  readonly credential: string
}

export interface ToolBody {
  readonly kind: 'tool'
  readonly event: 'quarantined' | 'drifted' | 'approved'
  readonly server: string
  readonly tool: string
  readonly digest: Digest
}

/** Which key signs. `subject_key_id` and the keys are of the key that signs from here on. */
export type KeyBody = KeyBegan | KeyEnded

/** The first receipt of a key: signed by itself. */
export interface KeyBegan {
  readonly kind: 'key'
  readonly event: 'began'
  readonly subject_key_id: KeyId
  /** 64 hex. */
  readonly public_key: string
  /** 64 hex; the key that signs checkpoints. */
  readonly log_public_key: string
  /** Whether the key before vouched for this one; true for the first key of a ledger. */
  readonly endorsed: boolean
}

/** The last receipt of a key, which names its successor and so vouches for it (design 4.4). */
export interface KeyEnded {
  readonly kind: 'key'
  readonly event: 'ended'
  /** The successor. */
  readonly subject_key_id: KeyId
  readonly public_key: string
  /** Only who has the successor's seed can tell: its own first receipt does. */
  readonly log_public_key: null
  readonly endorsed: true
}

export interface TrustBody {
  readonly kind: 'trust'
  readonly digest: Digest
  readonly version: number
  readonly key_ids: readonly KeyId[]
}
