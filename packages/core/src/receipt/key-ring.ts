import { decodeHex, encodeHex } from '../bytes/hex.ts'
import type { Crypto } from '../ports/crypto.ts'
import { type KeyId, keyIdOf } from '../crypto/key-id.ts'
import { sameScope, systemScope } from '../trust/scope.ts'
import { type DecodedEntry, verifyEntry } from './entry.ts'
import type { Check } from './findings.ts'
import { scopeOfStatement } from './state.ts'
import type { KeyEnded } from './statement.ts'

/** A key that signed a stretch of a ledger. */
export interface LedgerKey {
  readonly keyId: KeyId
  /** 32 bytes each. */
  readonly publicKey: Uint8Array
  readonly logPublicKey: Uint8Array
  /** Log index of the receipt with which it began. */
  readonly from: number
  /** Whether the key before vouched for it; false for a ledger's first. */
  readonly endorsed: boolean
}

/** The keys of a ledger, as its own `key` receipts tell (design 4.3, 4.4). */
export interface KeyRing {
  /** In the order in which they began; the last one signs. */
  readonly keys: readonly LedgerKey[]
  /** Takes the next entry. Says what is wrong with it as a key receipt; it then changes nothing. */
  follow(entry: DecodedEntry, logIndex: number): string | undefined
}

export function createKeyRing(crypto: Crypto): KeyRing {
  const keys: LedgerKey[] = []
  /** Whom the key that signs has named as its successor. */
  let successor: KeyEnded | undefined
  return { keys, follow }

  function follow(entry: DecodedEntry, logIndex: number): string | undefined {
    const { statement } = entry
    const reserved = statement.kind === 'key' || statement.kind === 'trust'
    if (reserved !== sameScope(scopeOfStatement(statement), systemScope)) {
      return 'receipts of keys and trust, and no others, are in the scope helm/system'
    }
    const key = keys.at(-1)
    if (successor !== undefined && !(statement.kind === 'key' && statement.event === 'began')) {
      return `follows the end of ${key?.keyId}`
    }
    if (statement.kind !== 'key') return undefined
    const publicKey = decodeHex(statement.public_key, 32, 'public_key')
    if (keyIdOf(crypto, publicKey) !== statement.subject_key_id) {
      return `${statement.subject_key_id} is not the id of the public key beside it`
    }
    if (statement.event === 'ended') {
      // The key that ends signs this, and names the one that follows.
      if (key === undefined || !verifyEntry(crypto, entry, key.publicKey)) {
        return 'a key is ended by itself'
      }
      successor = statement
      return undefined
    }
    if (statement.key_id !== statement.subject_key_id || !verifyEntry(crypto, entry, publicKey)) {
      return `${statement.subject_key_id} did not sign its own beginning`
    }
    const endorsed = successor?.public_key === statement.public_key
    if (statement.endorsed && !endorsed && keys.length > 0) {
      return `${statement.subject_key_id} says that the key before vouched for it, which it did not`
    }
    successor = undefined
    const logPublicKey = decodeHex(statement.log_public_key, 32, 'log_public_key')
    keys.push({ keyId: statement.key_id, publicKey, logPublicKey, from: logIndex, endorsed })
    return undefined
  }
}

export function describeKeys(keys: readonly LedgerKey[]): string {
  const each = keys.map(({ keyId, from, endorsed }, i) => {
    const warning = endorsed || i === 0 ? '' : ' (warning: the key before did not vouch for it)'
    return `${keyId} from log index ${from}${warning}`
  })
  return each.join(', ') || 'none yet'
}

/** Whether every key that no key before vouched for is one that the caller trusts. */
export function checkPinned(
  keys: readonly LedgerKey[],
  pinned: readonly Uint8Array[] | undefined,
): Check {
  const name = 'key_pinned'
  const own = keys.filter(({ endorsed }) => !endorsed).map((key) => encodeHex(key.publicKey))
  const all = own.join(', ') || 'none'
  if (pinned === undefined) {
    const detail = `no key was given; those of the ledger: ${all}`
    return { name, status: 'not_applicable', detail }
  }
  const trusted = new Set(pinned.map(encodeHex))
  return own.length > 0 && own.every((key) => trusted.has(key))
    ? { name, status: 'pass', detail: `the ledger is of the given key: ${all}` }
    : { name, status: 'fail', detail: `the ledger is of other keys than were given: ${all}` }
}
