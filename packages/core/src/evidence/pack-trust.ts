import type { Crypto } from '../ports/crypto.ts'
import type { HeldCheckpoint } from '../receipt/held-checkpoint.ts'
import type { TrustRoot } from '../trust/root.ts'

/** Whom the verifier trusts. Nothing in a pack adds to it but what a trusted key signed. */
export interface PackTrust {
  readonly crypto: Crypto
  /** Receipt keys of the ledger, 32 bytes each: one at least, or nothing is trusted. */
  readonly keys: readonly Uint8Array[]
  /** Given, these alone may sign the checkpoint; else the log keys that trusted receipt keys name. */
  readonly logKeys?: readonly Uint8Array[]
  /** What the log must be called; left out, as the manifest says. */
  readonly origin?: string
  /** Which ledger the receipts must be of, where one key has several; left out, as the manifest says. */
  readonly ledgerId?: string
  /** Heads of the log that the caller holds: the pack must be of exactly this tree. */
  readonly checkpoints?: readonly HeldCheckpoint[]
  /** Who may have signed the policies in it; left out, their signatures are not looked at. */
  readonly policyTrust?: TrustRoot
}
