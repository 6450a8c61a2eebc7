import type { Kernel } from '../kernel/kernel.ts'
import type { Clock } from '../ports/clock.ts'
import type { PolicySource } from '../ports/policy-source.ts'
import type { Random } from '../ports/random.ts'
import type { ReceiptStore } from '../ports/receipt-store.ts'
import type { Scope } from '../trust/scope.ts'
import type { PolicyAttempt } from './attempt.ts'
import type { PolicyStatus } from './status.ts'

/** What a reconciler is made of. Durations are ms. */
export interface ReconcilerOptions {
  readonly kernel: Pick<Kernel, 'authority' | 'status'>
  readonly source: PolicySource
  /** Kind of the source, for receipts and the status. */
  readonly sourceName: string
  /** Asked for from the start, whatever the source lists. */
  readonly scopes: readonly Scope[]
  /** Where the rejections of the last hour are looked up. */
  readonly receipts: Pick<ReceiptStore, 'find'>
  readonly clock: Clock
  readonly random: Random
  readonly pollInterval: number
  /** How long a policy serves without being verified again. */
  readonly maxAge: number
  /** What a refused update does to the policy that is installed. */
  readonly onInvalidUpdate: 'keepLastKnownGood' | 'deny'
  /** Told of every attempt, for logs and metrics. Must not throw. */
  readonly observe?: (attempt: PolicyAttempt) => void
  /** Told when kept policy is in force, before the source was asked. Must not throw. */
  readonly restored?: (status: PolicyStatus) => void
  /** Told of what went wrong beside an attempt. Never a secret. */
  readonly warn?: (message: string) => void
}

/** Of a head, and of a listing. */
export const askLimit = 10_000
/** Of the bytes of a bundle, which may be 64 MiB. */
export const loadLimit = 30_000
/** Failing scopes are asked more seldom, up to this or the poll interval. */
export const maxBackOff = 60_000
/** Sources are not believed to have more. */
export const maxScopes = 100_000
