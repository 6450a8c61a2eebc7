import type {
  LedgerIdentity,
  LedgerState,
  Mark,
  Sealed,
  ScopeState,
  TrustMark,
} from '../ports/receipt-store.ts'
import type { KeyId } from '../crypto/key-id.ts'
import { type Scope, scopeKey, scopeOf } from '../trust/scope.ts'
import { digestOfReceipt, type ReceiptId } from './entry.ts'
import type { Statement } from './statement.ts'

const untouched: ScopeState = Object.freeze({
  seq: 0,
  prev: undefined,
  signed: undefined,
  signedOnly: false,
  unsigned: undefined,
})

/** A ledger's state as the fold of its receipts: the one place that says how a receipt moves it. */
export interface StateFold extends LedgerState {
  /** Takes the next receipt of the log. */
  apply(receipt: Pick<Sealed, 'receiptId' | 'statement'>): void
  /** A copy that moves on by itself. */
  fork(): StateFold
  /** Scopes that have a receipt. */
  scopes(): readonly Scope[]
  /** All of it but the identity, for a store that keeps it. */
  fields(): StateFields
}

/** A state as values of JSON; members that are undefined are left out when it is written. */
export interface StateFields {
  readonly size: number
  readonly time: number
  readonly key: KeyId | undefined
  readonly successor: KeyId | undefined
  readonly trust: TrustMark | undefined
  /** By `scopeKey`. A store may give those alone that a batch is about. */
  readonly scopes: Readonly<Record<string, ScopeState>>
}

type Fields = { -readonly [K in keyof Omit<StateFields, 'scopes'>]: StateFields[K] } & {
  readonly scopes: Map<string, ScopeState>
}

const empty: StateFields = Object.freeze({
  size: 0,
  time: 0,
  key: undefined,
  successor: undefined,
  trust: undefined,
  scopes: {},
})

/** The state of an empty ledger, or one that goes on from `fields`, which the caller vouches for. */
export function createState(identity?: LedgerIdentity, fields: StateFields = empty): StateFold {
  return foldOver(identity, { ...empty, ...fields, scopes: new Map(Object.entries(fields.scopes)) })
}

function foldOver(identity: LedgerIdentity | undefined, fields: Fields): StateFold {
  return {
    identity,
    get size() {
      return fields.size
    },
    get time() {
      return fields.time
    },
    get key() {
      return fields.key
    },
    get successor() {
      return fields.successor
    },
    get trust() {
      return fields.trust
    },
    scope: (scope) => fields.scopes.get(scopeKey(scope)) ?? untouched,
    scopes: () => [...fields.scopes.keys()].map(scopeOfKey),
    fields: () => ({ ...fields, scopes: Object.fromEntries(fields.scopes) }),
    apply({ receiptId, statement }) {
      const scope = scopeOfStatement(statement)
      const key = scopeKey(scope)
      fields.scopes.set(key, next(fields.scopes.get(key) ?? untouched, receiptId, statement))
      fields.size++
      fields.time = Date.parse(statement.time)
      if (statement.kind === 'key') {
        const began = statement.event === 'began'
        if (began) fields.key = statement.subject_key_id
        fields.successor = began ? undefined : statement.subject_key_id
      }
      if (statement.kind === 'trust') {
        fields.trust = { version: statement.version, digest: statement.digest }
      }
    },
    fork: () => foldOver(identity, { ...fields, scopes: new Map(fields.scopes) }),
  }
}

/** The scope of a statement that was parsed, so its identifiers are known to be good. */
export function scopeOfStatement(statement: Statement): Scope {
  return { tenantId: statement.scope.tenant_id, workspaceId: statement.scope.workspace_id }
}

function scopeOfKey(key: string): Scope {
  const [tenantId = '', workspaceId = ''] = key.split('/')
  return scopeOf(tenantId, workspaceId)
}

function next(before: ScopeState, receiptId: ReceiptId, statement: Statement): ScopeState {
  const place = { ...before, seq: statement.seq, prev: digestOfReceipt(receiptId) }
  if (statement.kind === 'forget') return { ...place, signedOnly: false }
  if (statement.kind !== 'activation') return place
  const mark: Mark = { epoch: statement.policy_epoch, hash: statement.policy_hash }
  return statement.signed
    ? { ...place, signed: mark, signedOnly: true }
    : { ...place, unsigned: mark }
}
