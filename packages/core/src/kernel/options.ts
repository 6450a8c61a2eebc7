import type { TextDecoding } from '../bundle/decode.ts'
import type { KernelSigner } from '../crypto/signer.ts'
import type { Clock } from '../ports/clock.ts'
import type { Conditions } from '../ports/conditions.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Keep } from '../ports/keep.ts'
import type { Random } from '../ports/random.ts'
import type { ReceiptStore } from '../ports/receipt-store.ts'
import type { KeyId } from '../crypto/key-id.ts'
import type { TrustRoot } from '../trust/root.ts'
import type { Scope } from '../trust/scope.ts'

/** What a kernel is made of. */
export interface KernelOptions {
  /** Who may sign policy. */
  readonly trust: TrustRoot
  /** Where receipts are made durable. */
  readonly store: ReceiptStore
  readonly signer: KernelSigner
  readonly clock: Clock
  readonly random: Random
  /** Default: the portable noble implementation. */
  readonly crypto?: Crypto
  /**
   * The host's UTF-8 decoder, for large bundles: it must throw on bad bytes and keep a byte order mark,
   * as `new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })` does. Default: our own.
   */
  readonly text?: TextDecoding
  /** A language for `{"cel": "…"}`; without one such a bundle does not compile. */
  readonly conditions?: Conditions
  /** The scope meant when a call names none. Default: `default`/`default`. */
  readonly scope?: Scope
  /** The kernel's own audience; bundles must name it, and without one must name none. */
  readonly audience?: string
  /** Refuse unsigned bundles even when `trust` has no key. Default false. */
  readonly signatureRequired?: boolean
  /** Ms; demands that bundles say when they were issued and expire at most so much later. */
  readonly maxLifetime?: number
  /**
   * What to do when the ledger's newest key is not this signer's, and did not name it as its
   * successor; a list: rotate from one of these keys alone. Default `refuse`.
   */
  readonly onKeyChange?: 'refuse' | 'rotate' | readonly KeyId[]
  /** Where the bundles that receipts name are kept. */
  readonly keep?: Keep
  /** Where the arguments of requests are kept in clear; by default nowhere, receipts have hashes. */
  readonly args?: Keep
  /** Told of what went wrong where no caller could be. Never a secret, never an argument. */
  readonly warn?: (message: string) => void
}
