import type { Proof, Signatures } from '../bundle/signature.ts'
import type { EffectivePolicySnapshot } from './snapshot.ts'

/** A snapshot, and when it was last known to be right. */
export interface Installed {
  readonly snapshot: EffectivePolicySnapshot
  /** Wall ms of the last successful verification. */
  readonly verifiedAt: number
  /** The same on the monotonic clock, and the moment at which the bundle expires on it. */
  readonly verifiedMonotonic: number
  readonly expiresMonotonic: number
  /** Ms after the last verification at which it is stale; Infinity when no source must confirm it. */
  readonly maxAge: number
  /** Wall ms at which it became active; of an earlier process, when it was resumed. */
  readonly activatedAt: number
  /** The signatures that came with it, and those of them that were found good. */
  readonly signatures: Signatures
  readonly proofs: readonly Proof[]
}

/** Where one scope's policy stands. */
export type Standing =
  | { readonly status: 'no_policy' }
  | ({ readonly status: 'active' | 'invalid' | 'withdrawn' } & Installed)

/** The one mutable word: a decision reads it once, an install replaces it once, as its last step. */
export interface Cell {
  read(): Standing
  swap(next: Standing): void
}

export function createCell(): Cell {
  let standing: Standing = Object.freeze({ status: 'no_policy' })
  return {
    read: () => standing,
    swap(next) {
      standing = Object.freeze(next)
    },
  }
}
