import { equalBytes } from '../bytes/equal.ts'
import { isKernelError } from '../error.ts'
import { type Checkpoint, claimedCheckpoint } from '../log/checkpoint.ts'
import { openNote } from '../log/note.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Check } from './findings.ts'
import type { LedgerKey } from './key-ring.ts'

/** A head of the log that somebody holds. */
export interface HeldCheckpoint {
  /** What its check is called, such as `checkpoint` or a file's name. */
  readonly name: string
  /** The signed note. */
  readonly note: Uint8Array
}

/** A held checkpoint and what it says; not yet believed. */
export interface Claim extends HeldCheckpoint {
  readonly claim: Checkpoint | undefined
}

/** The log as it was read, to hold checkpoints against. */
export interface ReadLog {
  readonly origin: string | undefined
  readonly size: number
  /** By size, one for each that a checkpoint names. */
  readonly roots: ReadonlyMap<number, Uint8Array>
  readonly keys: readonly LedgerKey[]
}

/** Claims tell beforehand at which sizes the root is asked for. */
export function readClaims(held: readonly HeldCheckpoint[]): readonly Claim[] {
  return held.map((one) => ({ ...one, claim: orUndefined(() => claimedCheckpoint(one.note)) }))
}

/** One check for each held checkpoint. */
export function checkHeads(
  crypto: Crypto,
  claims: readonly Claim[],
  log: ReadLog,
): readonly Check[] {
  if (claims.length === 0) {
    return [{ name: 'checkpoint', status: 'not_applicable', detail: 'no checkpoint was given' }]
  }
  return claims.map(({ name, note, claim }) => {
    if (log.size === 0 && claim?.size === 0) {
      return { name, status: 'not_applicable', detail: 'an empty log has no key yet' }
    }
    const problem = claim === undefined ? 'is no checkpoint' : violation(crypto, note, claim, log)
    return problem === undefined
      ? { name, status: 'pass', detail: `the first ${claim?.size} entries are as it says` }
      : { name, status: 'fail', detail: problem }
  })
}

function violation(
  crypto: Crypto,
  note: Uint8Array,
  { origin, size, root }: Checkpoint,
  log: ReadLog,
): string | undefined {
  if (origin !== log.origin) return `is of the log ${origin}, not of ${log.origin}`
  if (log.keys.length === 0) return 'the log has no key that could have signed it'
  // Whichever key of the ledger: after a change of keys the new one signs the size that the old one did.
  const verifiers = log.keys.map(({ logPublicKey }) => ({ name: origin, publicKey: logPublicKey }))
  try {
    openNote(note, verifiers, crypto)
  } catch (error) {
    if (isKernelError(error)) return error.message
    throw error
  }
  if (size > log.size) return `is of ${size} entries, the log has ${log.size}: entries are missing`
  return equalBytes(root, log.roots.get(size) ?? new Uint8Array())
    ? undefined
    : `the root of the first ${size} entries is another: one of them is not what it was`
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isKernelError(error)) return undefined
    throw error
  }
}
