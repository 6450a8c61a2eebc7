import type { Digest } from '../bytes/digest.ts'
import { equalBytes } from '../bytes/equal.ts'
import type { Crypto } from '../ports/crypto.ts'
import { digestOfReceipt, verifyEntry } from '../receipt/entry.ts'
import type { Findings } from '../receipt/findings.ts'
import { createKeyRing, type LedgerKey } from '../receipt/key-ring.ts'
import { openingDigest } from '../receipt/seal.ts'
import { scopeOfStatement } from '../receipt/state.ts'
import { sameScope, systemScope } from '../trust/scope.ts'
import type { Pause } from './pause.ts'
import { receiptName } from './member.ts'
import type { PackFacts } from './manifest.ts'
import type { PackEntry } from './read-entries.ts'

/** The keys that entries in log order speak of and are signed by. */
export interface Followed {
  readonly keys: readonly LedgerKey[]
  /** Those that receipts of the scope are signed by. */
  readonly signers: ReadonlySet<LedgerKey>
}

/**
 * Goes through the entries in log order, as an audit does: the chain of the scope, whose every receipt
 * must be there, the ledger's keys, and each signature by the key of its time.
 */
export async function followEntries(
  entries: readonly PackEntry[],
  facts: PackFacts,
  crypto: Crypto,
  findings: Findings,
  pause: Pause,
): Promise<Followed> {
  const ring = createKeyRing(crypto)
  const signers = new Set<LedgerKey>()
  let seq = facts.from - 1
  let prev: Digest | undefined
  let time = ''
  let lastIndex = -1
  for (const entry of entries) {
    const { statement, logIndex, name, isKey } = entry
    const fail = (check: string, problem: string | undefined) => {
      if (problem !== undefined) findings.fail(check, `${name}: ${problem}`)
    }
    fail('receipts', strayViolation(entry, facts))
    fail('keys', ring.follow(entry, logIndex))
    if (statement.time < time) fail('chain', 'is older than the one before it in the log')
    if (logIndex === lastIndex) fail('chain', `is at the log index of another, ${logIndex}`)
    time = statement.time
    lastIndex = logIndex
    const key = ring.keys.at(-1)
    if (key?.keyId !== entry.keyId) {
      fail('signatures', `is signed by ${entry.keyId} in the time of ${key?.keyId ?? 'no key'}`)
    } else if (!verifyEntry(crypto, entry, key.publicKey)) {
      fail('signatures', 'the signature is wrong')
    }
    if (!isKey) {
      if (key !== undefined) signers.add(key)
      fail('chain', chainViolation(entry))
      seq = statement.seq
      prev = digestOfReceipt(entry.receiptId)
    }
    await pause()
  }
  if (ring.keys[0]?.from !== 0) {
    findings.fail('keys', 'a ledger begins with the receipt of its first key, which is not here')
  }
  if (seq !== facts.to) findings.fail('chain', `it ends with seq ${seq}, not with ${facts.to}`)
  return { keys: ring.keys, signers }

  function chainViolation({ statement, name }: PackEntry): string | undefined {
    if (statement.seq !== seq + 1)
      return `is seq ${statement.seq} and comes after ${seq} in the log`
    if (name !== receiptName(statement.seq)) return `is seq ${statement.seq}`
    if (prev !== undefined && statement.prev !== prev) {
      return 'prev is not the digest of the receipt before it'
    }
    if (statement.seq !== 1) return undefined
    return statement.prev === openingDigest(crypto, facts.identity, facts.scope)
      ? undefined
      : `does not open the scope in ledger ${facts.identity.ledgerId} of ${facts.identity.origin}`
  }
}

/** Why an entry is of another ledger or scope than the pack; undefined when it is not. */
function strayViolation({ statement, isKey }: PackEntry, facts: PackFacts): string | undefined {
  const { ledgerId } = facts.identity
  if (statement.ledger_id !== ledgerId) return `is of ledger ${statement.ledger_id}`
  if (isKey) {
    return statement.kind === 'key' && sameScope(scopeOfStatement(statement), systemScope)
      ? undefined
      : 'is no key receipt'
  }
  return sameScope(scopeOfStatement(statement), facts.scope) ? undefined : 'is of another scope'
}

/** The keys that were given, and those that one of them vouched for, step by step (design 4.4). */
export function trustedKeys(
  keys: readonly LedgerKey[],
  given: readonly Uint8Array[],
): readonly LedgerKey[] {
  const trusted: LedgerKey[] = []
  for (const [i, key] of keys.entries()) {
    const before = keys[i - 1]
    const isGiven = given.some((publicKey) => equalBytes(publicKey, key.publicKey))
    const isVouched = key.endorsed && before !== undefined && trusted.includes(before)
    if (isGiven || isVouched) trusted.push(key)
  }
  return trusted
}
