import type { Head } from '../bundle/head.ts'
import type { PolicyStatus } from '../reconcile/status.ts'
import type { Scope } from '../trust/scope.ts'
import type { Cancel } from './clock.ts'

/** Where policy comes from. It offers heads and bytes; it has no authority (design 3.2). */
export interface PolicySource {
  /**
   * Every scope that it has policy for. Rejects when it cannot name them all: a listing that is not
   * complete adds and withdraws nothing.
   */
  scopes(cancel: Cancel): Promise<readonly Scope[]>
  /** The head now active for `scope`. Throws a KernelError with a SOURCE_ or HEAD_ code. */
  head(scope: Scope, cancel: Cancel): Promise<Head>
  /** The bundle bytes that `head` points at, as they came; they are not kept or changed after. */
  load(scope: Scope, head: Head, cancel: Cancel): Promise<Uint8Array>
  /**
   * Told how each attempt ended, so that it may remember what the newest head was good for and say
   * so where its operators look. Not waited for; must not throw.
   */
  settled(scope: Scope, status: PolicyStatus): void
}
