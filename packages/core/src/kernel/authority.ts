import type { Head } from '../bundle/head.ts'
import { type UnverifiedBundle, verifyAgain } from '../bundle/verify.ts'
import { KernelError, messageOf } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Stored } from '../ports/receipt-store.ts'
import type { RejectionBody } from '../receipt/statement.ts'
import type { TrustRoot } from '../trust/root.ts'
import { type Scope, scopeKey } from '../trust/scope.ts'
import type { Cells } from './cells.ts'
import type { InstallOptions } from './delivery.ts'
import { createInstaller, type InstallResult } from './install.ts'
import { createKept } from './kept.ts'
import type { KernelOptions } from './options.ts'
import type { Recorder } from './recorder.ts'
import type { Swaps } from './swaps.ts'
import { createTrustHolder } from './trust-holder.ts'

/**
 * Who decides which policy is in force: what a reconciler, and an operator, may ask of a kernel. Every
 * step of an install is in here, whoever delivers (design 3.2).
 */
export interface Authority {
  /** As `Kernel.install`, of bytes that the caller gives away; in the order of the calls. */
  install(
    bundle: UnverifiedBundle | Promise<UnverifiedBundle>,
    options: InstallOptions,
  ): Promise<InstallResult>
  /**
   * Verifies again what is installed, when the head names it. Undefined when only the bytes can tell.
   * Throws as `install` does.
   */
  confirm(head: Head, options: InstallOptions): Promise<InstallResult | undefined>
  /** Scopes of which policy was kept. */
  kept(): Promise<readonly Scope[]>
  /** Installs what was kept, with the age it has; undefined when there is nothing. Throws as `install`. */
  restore(scope: Scope, maxAge: number): Promise<InstallResult | undefined>
  /** Denies everything in the scope until a bundle passes a full verification; keeps nothing for it. */
  close(scope: Scope, status: 'invalid' | 'withdrawn'): Promise<void>
  /** Writes down that policy was refused. Throws `LEDGER_…`. */
  reject(scope: Scope, rejection: Omit<RejectionBody, 'kind'>): Promise<void>
  /**
   * Puts a newer trust root in force. What it does not vouch for is invalid at once, and comes back
   * only when its kept bytes pass the new root. Throws `TRUST_ROOT_ROLLBACK`.
   */
  trust(root: TrustRoot): Promise<void>
  /** Lets unsigned policy follow signed policy in the scope. Throws `POLICY_NOT_READY` or `LEDGER_…`. */
  forget(scope: Scope): Promise<void>
  /**
   * Ends the key that signs in favour of another, 32 bytes: the kernel of that key goes on, and this
   * one records nothing more. Undefined when it had named that one before. Throws `KEY_INVALID`,
   * `KEY_CHANGED` or `LEDGER_…`.
   */
  endKey(successor: Uint8Array): Promise<Stored | undefined>
}

export function createAuthority(
  options: KernelOptions,
  crypto: Crypto,
  recorder: Recorder,
  cells: Cells,
  swaps: Swaps,
): Authority {
  const { store, signatureRequired = false } = options
  const kept = options.keep && createKept(options.keep)
  const trust = createTrustHolder(options.trust, store, recorder)
  const installer = createInstaller(options, crypto, recorder, trust, kept)
  const scopeFor = ({ scope }: InstallOptions): Scope => {
    if (scope === undefined) throw new KernelError('SCOPE_MISMATCH', 'no scope is named')
    return scope
  }

  return Object.freeze({
    async install(bundle, given) {
      const scope = scopeFor(given)
      // It may fail before its turn comes; then it is told when it does.
      Promise.resolve(bundle).catch(() => undefined)
      return swaps.run(scopeKey(scope), async () =>
        installer.install(cells.of(scope), scope, await bundle, given),
      )
    },
    async confirm(head, given) {
      const scope = scopeFor(given)
      return swaps.run(scopeKey(scope), () =>
        installer.confirm(cells.of(scope), scope, head, given),
      )
    },
    kept: async () => (await kept?.scopes()) ?? [],
    restore,
    async close(scope, status) {
      const standing = cells.read(scope)
      if (standing.status !== 'no_policy') cells.of(scope).swap({ ...standing, status })
      await kept?.drop(scope)
    },
    async reject(scope, rejection) {
      await recorder.record({ scope, body: { kind: 'rejection', ...rejection } })
    },
    async trust(root) {
      trust.replace(root)
      // INVARIANT: nothing is waited for before what was revoked is closed.
      const revoked = cells.scopes().filter((scope) => revoke(scope, root))
      await trust.begin()
      for (const scope of revoked) await restoreRevoked(scope)
    },
    async forget(scope) {
      await recorder.begin()
      const { signed } = (await store.state()).scope(scope)
      if (signed === undefined) {
        throw new KernelError('POLICY_NOT_READY', `${scopeKey(scope)} never had signed policy`)
      }
      const body = {
        kind: 'forget',
        previous_epoch: signed.epoch,
        previous_hash: signed.hash,
      } as const
      await recorder.record({ scope, body })
      await kept?.drop(scope)
    },
    endKey: (successor) => recorder.end(successor),
  } satisfies Authority)

  async function restore(scope: Scope, maxAge: number): Promise<InstallResult | undefined> {
    const policy = await kept?.read(scope)
    if (policy === undefined) return undefined
    return swaps.run(scopeKey(scope), () =>
      installer.restore(cells.of(scope), scope, policy, maxAge),
    )
  }

  /** Whether the policy of a scope was in force and does not pass the root. */
  function revoke(scope: Scope, root: TrustRoot): boolean {
    const standing = cells.read(scope)
    if (standing.status !== 'active') return false
    try {
      const { signatures, proofs } = standing
      verifyAgain(signatures, proofs, { trust: root, scope, signatureRequired })
      return false
    } catch {
      cells.of(scope).swap({ ...standing, status: 'invalid' })
      return true
    }
  }

  /** A signature that the root before had no use for may be one of a key that is trusted now. */
  async function restoreRevoked(scope: Scope): Promise<void> {
    const standing = cells.read(scope)
    if (standing.status !== 'invalid') return
    try {
      await restore(scope, standing.maxAge)
    } catch (error) {
      options.warn?.(`the policy of ${scopeKey(scope)} is revoked: ${messageOf(error)}`)
    }
  }
}
