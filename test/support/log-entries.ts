import {
  type Draft,
  encodeHex,
  isDigest,
  type KernelSigner,
  type LedgerIdentity,
  type Scope,
  scopeOf,
  sealDrafts,
  type Sealed,
  signer,
  systemScope,
  timestamp,
} from '@helm-ai-kernel/core'
import { createRange, leafHash, signCheckpoint } from '@helm-ai-kernel/core/log'
import { type Body, createState, type DecisionBody } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'

// A ledger's entries without a store: what an auditor is given.

export const identity: LedgerIdentity = { ledgerId: '5a'.repeat(16), origin: 'test.example/log' }
export const acme: Scope = scopeOf('acme', 'prod')
export const other: Scope = scopeOf('acme', 'test')

export function signerOf(byte: number): KernelSigner {
  return signer(new Uint8Array(32).fill(byte), crypto)
}

export function hashOf(digit: string): DecisionBody['args_hash'] {
  const hash: unknown = `sha256:${digit.repeat(64)}`
  if (!isDigest(hash)) throw new Error(`${digit} is no hex digit`)
  return hash
}

export function began(key: KernelSigner, endorsed = true): Draft {
  return {
    scope: systemScope,
    body: { ...keyOf(key), event: 'began', log_public_key: encodeHex(key.log.publicKey), endorsed },
  }
}

/** The key that signs names the one that follows. */
export function ended(successor: KernelSigner): Draft {
  return {
    scope: systemScope,
    body: { ...keyOf(successor), event: 'ended', log_public_key: null, endorsed: true },
  }
}

export function activation(scope: Scope, epoch: number, signed = true, hash = '1'): Draft {
  const body: Body = {
    kind: 'activation',
    policy_epoch: epoch,
    policy_hash: hashOf(hash),
    signed,
    key_ids: [],
    source: 'test',
    bundle_ref: '',
    previous_epoch: null,
    previous_hash: null,
  }
  return { scope, body }
}

export function decision(scope: Scope, epoch: number | null, signed = true, hash = '1'): Draft {
  const body: DecisionBody = {
    kind: 'decision',
    surface: 'embed',
    request_id: '00'.repeat(16),
    auth: { credential: '', method: 'embed' },
    principal: 'agent:a',
    session_id: '',
    action: 'ticket.read',
    resource: 'ticket:1',
    args_hash: hashOf('a'),
    context_hash: hashOf('b'),
    policy_epoch: epoch,
    policy_hash: epoch === null ? null : hashOf(hash),
    policy_signed: epoch === null ? null : signed,
    policy_verified_at: epoch === null ? null : timestamp(0),
    verdict: 'DENY',
    reason_code: epoch === null ? 'POLICY_NOT_READY' : 'NO_MATCHING_RULE',
    rule_ids: [],
    links: {},
  }
  return { scope, body }
}

export interface Step {
  readonly by: KernelSigner
  readonly draft: Draft
  /** Wall time, ms. */
  readonly at?: number
}

/** Seals each draft by its key, one batch each, as a store would. */
export function sealAll(steps: readonly Step[], of: LedgerIdentity = identity): readonly Sealed[] {
  const state = createState(of)
  return steps.map(({ by, draft, at = 1_000 }) => {
    const sealing = { crypto, signer: by, identity: of, kernel: '0.0.0', now: at }
    const [sealed] = sealDrafts(sealing, state, [draft])
    if (sealed === undefined || 'refused' in sealed) throw new Error('refused')
    state.apply(sealed)
    return sealed
  })
}

/** The signed head of these entries. */
export function checkpointOf(
  entries: readonly Uint8Array[],
  by: KernelSigner,
  origin: string = identity.origin,
): Uint8Array {
  const range = createRange(crypto)
  for (const entry of entries) range.append(leafHash(crypto, entry))
  return signCheckpoint({ origin, size: range.size, root: range.root() }, by.log, crypto)
}

function keyOf({ keyId, publicKey }: KernelSigner) {
  return { kind: 'key', subject_key_id: keyId, public_key: encodeHex(publicKey) } as const
}
