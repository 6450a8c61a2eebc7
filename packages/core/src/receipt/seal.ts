import { digest, type Digest } from '../bytes/digest.ts'
import { timestamp } from '../bytes/time.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'
import type {
  Draft,
  LedgerIdentity,
  LedgerState,
  Refused,
  ScopeState,
  Sealed,
} from '../ports/receipt-store.ts'
import type { ReasonCode } from '../reason.ts'
import { type Scope, scopeKey } from '../trust/scope.ts'
import { digestOfReceipt, sealStatement } from './entry.ts'
import type { Statement } from './statement.ts'

/** What sealing needs that is the same for every receipt. */
export interface Sealing {
  readonly crypto: Crypto
  readonly signer: Signer
  readonly identity: LedgerIdentity
  /** Version of the kernel. */
  readonly kernel: string
  /** Wall time, ms. */
  readonly now: number
}

/** Why a draft may not follow what the scope already holds; undefined when it may. */
export type Admit = (scope: ScopeState, draft: Draft) => ReasonCode | undefined

/**
 * Gives drafts their place in the chain and signs them; one result a draft, in order. A refused draft
 * takes no place.
 */
export function sealDrafts(
  sealing: Sealing,
  state: LedgerState,
  drafts: readonly Draft[],
  admit?: Admit,
): readonly (Sealed | Refused)[] {
  const { crypto, signer, identity } = sealing
  // INVARIANT: time never falls within a ledger, whatever the wall clock does.
  const time = timestamp(Math.max(sealing.now, state.time))
  const places = new Map<string, { seq: number; prev: Digest }>()
  return drafts.map((draft) => {
    const scope = state.scope(draft.scope)
    const refused = admit?.(scope, draft)
    if (refused !== undefined) return { refused }
    const key = scopeKey(draft.scope)
    const place = places.get(key) ?? {
      seq: scope.seq,
      prev: scope.prev ?? openingDigest(crypto, identity, draft.scope),
    }
    const statement = inOrder<Statement>({
      type: 'helm.receipt/v1',
      ledger_id: identity.ledgerId,
      kernel: sealing.kernel,
      key_id: signer.keyId,
      scope: { tenant_id: draft.scope.tenantId, workspace_id: draft.scope.workspaceId },
      seq: place.seq + 1,
      prev: place.prev,
      time,
      ...draft.body,
    })
    const sealed = sealStatement(crypto, signer, statement)
    places.set(key, { seq: statement.seq, prev: digestOfReceipt(sealed.receiptId) })
    return sealed
  })
}

/** Members in the order of their canonical form, in which they are encoded without being sorted again. */
function inOrder<T extends object>(value: T): T {
  const ordered: Record<string, unknown> = {}
  for (const name of Object.keys(value).sort()) ordered[name] = value[name as keyof T]
  return ordered as T
}

/** `prev` of a scope's first receipt: it binds the chain to its ledger and scope (design 2.6). */
export function openingDigest(crypto: Crypto, identity: LedgerIdentity, scope: Scope): Digest {
  const { ledgerId, origin } = identity
  return digest(
    crypto,
    encodeUtf8(`helm.ledger/v1\n${origin}\n${ledgerId}\n${scope.tenantId}\n${scope.workspaceId}\n`),
  )
}
