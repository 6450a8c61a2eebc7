import { encodeBase64 } from '../bytes/base64.ts'
import { isKernelError } from '../error.ts'
import { createRange } from '../log/range.ts'
import { leafHash } from '../log/tree.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { LedgerIdentity, ScopeState } from '../ports/receipt-store.ts'
import { type Scope, scopeKey } from '../trust/scope.ts'
import { type DecodedEntry, decodeEntry, type ReceiptId, receiptIdOf } from './entry.ts'
import type { Audited, AuditResult } from './audit-result.ts'
import { type Check, createFindings, verdictOf } from './findings.ts'
import { checkHeads, type HeldCheckpoint, readClaims } from './held-checkpoint.ts'
import { checkPinned, createKeyRing, describeKeys } from './key-ring.ts'
import { policyViolation } from './policy-order.ts'
import { openingDigest } from './seal.ts'
import { createSignatureChecks } from './signatures.ts'
import { createState, scopeOfStatement } from './state.ts'
import type { Kind, Statement } from './statement.ts'
import { checkOutcomes, createUnresolved } from './unresolved.ts'

export interface AuditOptions {
  readonly crypto: Crypto
  /** Check signatures on every core, where `crypto` can (`verifyLater`); see `Audit.settled`. */
  readonly parallel?: boolean
  /** What the ledger is called. Absent: what its entries and the first checkpoint say. */
  readonly identity?: LedgerIdentity
  /** Trusted from outside, 32 bytes each: every key that no key before vouched for must be one. */
  readonly pinnedKeys?: readonly Uint8Array[]
  /** Heads of the log that somebody holds; old ones are as good as new ones. */
  readonly checkpoints?: readonly HeldCheckpoint[]
  /** Receipts that somebody holds. */
  readonly receipts?: readonly ReceiptId[]
}

/** Verifies a ledger from its entries alone, in one pass. */
export interface Audit {
  /**
   * Takes the next entry in log order, with its leaf hash where that is known, and gives what it says
   * if it can be read. Never throws.
   */
  add(entry: Uint8Array, leaf?: Uint8Array): Audited | undefined
  /** Signatures that are being checked beside the event loop. */
  readonly pending: number
  /** Resolves when none is. Where there are any, it is waited for before `finish`. */
  settled(): Promise<void>
  finish(): AuditResult
}

/**
 * Checks entries (design 4.3): their one encoding, the chain of each scope from its opening, time, keys
 * and signatures, the order of policies, and the tree against checkpoints.
 *
 * @example
 * ```ts
 * const audit = createAudit({ crypto: nobleCrypto, identity, pinnedKeys: [publicKey] })
 * for (const entry of entries) audit.add(entry)
 * const { verdict, checks } = audit.finish()
 * ```
 */
export function createAudit(options: AuditOptions): Audit {
  const { crypto, identity } = options
  const findings = createFindings()
  const state = createState(identity)
  const ring = createKeyRing(crypto)
  const unresolved = createUnresolved()
  const range = createRange(crypto)
  const claims = readClaims(options.checkpoints ?? [])
  const roots = new Map<number, Uint8Array>()
  const openings: { readonly scope: Scope; readonly prev: string; readonly place: string }[] = []
  const wanted = new Set<string>(options.receipts)
  const kinds: Partial<Record<Kind, number>> = {}
  const signatures = createSignatureChecks(crypto, options.parallel === true)
  let ledgerId = identity?.ledgerId
  rememberRoot()

  return {
    add,
    get pending() {
      return signatures.pending
    },
    settled: () => signatures.settled(),
    finish,
  }

  function add(entry: Uint8Array, leaf = leafHash(crypto, entry)): Audited | undefined {
    const logIndex = range.size
    const receiptId = receiptIdOf(crypto.sha256(entry))
    wanted.delete(receiptId)
    range.append(leaf)
    rememberRoot()
    let decoded: DecodedEntry
    try {
      decoded = decodeEntry(entry)
    } catch (error) {
      findings.fail('entries', `log index ${logIndex}: ${reasonOf(error)}`)
      return undefined
    }
    const { statement } = decoded
    const scope = scopeOfStatement(statement)
    const place = `log index ${logIndex}, ${scopeKey(scope)} seq ${statement.seq}`
    const before = state.scope(scope)
    const fail = (name: string, problem: string | undefined) => {
      if (problem !== undefined) findings.fail(name, `${place}: ${problem}`)
    }
    fail('chain', chainViolation(before, statement))
    if (before.prev === undefined) openings.push({ scope, prev: statement.prev, place })
    if (Date.parse(statement.time) < state.time) {
      fail('time', `${statement.time} is before the entry before it`)
    }
    fail('keys', ring.follow(decoded, logIndex))
    checkSignature(decoded, (problem) => fail('signatures', problem))
    fail('policy_order', policyViolation(before, statement))
    kinds[statement.kind] = (kinds[statement.kind] ?? 0) + 1
    const audited = { receiptId, statement, logIndex }
    state.apply(audited)
    unresolved.apply(audited)
    return audited
  }

  function finish(): AuditResult {
    const { size } = range
    const origin =
      identity?.origin ?? claims.find(({ claim }) => claim !== undefined)?.claim?.origin
    if (signatures.pending > 0) {
      findings.fail('signatures', `${signatures.pending} were not waited for`)
    }
    const first = ring.keys[0]
    if (size > 0 && first?.from !== 0) {
      findings.fail('keys', 'log index 0: a ledger begins with the receipt of its first key')
    }
    const open = unresolved.list()
    const checks: readonly Check[] = [
      findings.check('entries', `${size} entries, each in its one encoding`),
      findings.check('chain', `${state.scopes().length} scopes, each without a gap`),
      checkOpenings(origin),
      findings.check('time', 'never falls'),
      findings.check('keys', describeKeys(ring.keys)),
      findings.check('signatures', 'each by the key of its time'),
      checkPinned(ring.keys, options.pinnedKeys),
      findings.check(
        'policy_order',
        'no policy older than one before it, none unsigned after signed',
      ),
      ...checkHeads(crypto, claims, { origin, size, roots, keys: ring.keys }),
      checkReceipts(),
      checkOutcomes(open),
    ]
    return Object.freeze({
      verdict: verdictOf(checks),
      checks,
      counts: { entries: size, scopes: state.scopes().length, kinds, unresolved: open.length },
      tree: { size, root: encodeBase64(range.root()) },
    })
  }

  function rememberRoot(): void {
    const { size } = range
    if (claims.some(({ claim }) => claim?.size === size)) roots.set(size, range.root())
  }

  function chainViolation(before: ScopeState, statement: Statement): string | undefined {
    ledgerId ??= statement.ledger_id
    if (statement.ledger_id !== ledgerId) {
      return `is of ledger ${statement.ledger_id}, this one is ${ledgerId}`
    }
    if (statement.seq !== before.seq + 1) return `follows seq ${before.seq}`
    if (before.prev !== undefined && statement.prev !== before.prev) {
      return 'prev is not the digest of the entry before it in its scope'
    }
    return undefined
  }

  function checkSignature(decoded: DecodedEntry, fail: (problem: string) => void): void {
    const key = ring.keys.at(-1)
    if (key === undefined) fail('no key has begun')
    else if (decoded.keyId !== key.keyId) {
      fail(`signed by ${decoded.keyId} in the time of ${key.keyId}`)
    } else signatures.check(decoded, key.publicKey, () => fail('the signature is wrong'))
  }

  function checkOpenings(origin: string | undefined): Check {
    const name = 'opening'
    if (origin === undefined || ledgerId === undefined) {
      return { name, status: 'not_applicable', detail: 'neither identity nor checkpoint was given' }
    }
    for (const { scope, prev, place } of openings) {
      if (prev === openingDigest(crypto, { ledgerId, origin }, scope)) continue
      findings.fail(name, `${place}: does not open a scope of ledger ${ledgerId} of ${origin}`)
    }
    return findings.check(name, `each scope opens in ledger ${ledgerId} of ${origin}`)
  }

  function checkReceipts(): Check {
    const name = 'receipts'
    const held = options.receipts?.length ?? 0
    if (held === 0) return { name, status: 'not_applicable', detail: 'no receipt was given' }
    for (const id of wanted) findings.fail(name, `${id} is not in the log`)
    return findings.check(name, `${held} held, each in the log`)
  }
}

function reasonOf(error: unknown): string {
  if (isKernelError(error)) return error.message
  throw error
}
