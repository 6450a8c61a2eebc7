import { checkExpected, decodeSliced, type Expectation } from '../bundle/decode.ts'
import type { BundleRef } from '../bundle/document.ts'
import type { Head } from '../bundle/head.ts'
import type { Proof } from '../bundle/signature.ts'
import {
  type UnverifiedBundle,
  type Verification,
  verifyAgain,
  verifySliced,
} from '../bundle/verify.ts'
import { KernelError, messageOf } from '../error.ts'
import type { Cell, Installed, Standing } from '../policy/cell.ts'
import { compileSliced } from '../policy/compile.ts'
import { requirePassed, runSelfTestsSliced } from '../policy/self-test.ts'
import type { EffectivePolicySnapshot } from '../policy/snapshot.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { ScopeState } from '../ports/receipt-store.ts'
import { type Scope, scopeKey } from '../trust/scope.ts'
import { createActivation } from './activate.ts'
import type { InstallOptions } from './delivery.ts'
import { checkFloor } from './floor.ts'
import type { Kept, KeptPolicy } from './kept.ts'
import type { KernelOptions } from './options.ts'
import type { Recorder } from './recorder.ts'
import type { TrustHolder } from './trust-holder.ts'
import { createTurns } from './turns.ts'

/** What an install did: `activated` is new policy, `resumed` was active before, in an earlier process. */
export interface InstallResult extends BundleRef {
  readonly status: 'activated' | 'resumed' | 'no_change'
}

/** The steps of an install (design 3.2, 3 to 9). */
export interface Installer {
  /**
   * Each step refuses with its own code; the swap is the last one and one assignment, so an install
   * that fails changes nothing. The bytes must not be changed meanwhile.
   */
  install(
    cell: Cell,
    scope: Scope,
    bundle: UnverifiedBundle,
    options: InstallOptions,
  ): Promise<InstallResult>
  /**
   * Verifies again what is installed, when that is what the head names (step 3). Undefined when it is
   * not, or when only the bytes can tell: load them.
   */
  confirm(
    cell: Cell,
    scope: Scope,
    head: Pick<Head, 'policyHash' | 'signatures'>,
    options: InstallOptions,
  ): Promise<InstallResult | undefined>
  /** Installs what was kept, with the age that it has. */
  restore(cell: Cell, scope: Scope, kept: KeptPolicy, maxAge: number): Promise<InstallResult>
}

/** How far the age that is kept may lag behind the true one, in ms. */
const maxLag = 60_000

export function createInstaller(
  options: KernelOptions,
  crypto: Crypto,
  recorder: Recorder,
  trust: TrustHolder,
  kept: Kept | undefined,
): Installer {
  const { clock, store, conditions } = options
  const turns = createTurns(clock)
  const activate = createActivation(recorder)
  /** By scope: the verification time that the disk has. */
  const keptAt = new Map<string, number>()

  return {
    install: (cell, scope, bundle, given) => install(cell, scope, bundle, given),
    restore(cell, scope, { bundle, source, bundleRef, ...times }, maxAge) {
      keptAt.set(scopeKey(scope), times.verifiedAt)
      return install(cell, scope, bundle, { source, bundleRef, maxAge }, times)
    },
    async confirm(cell, scope, { policyHash, signatures }, given) {
      const standing = cell.read()
      if (standing.status !== 'active') return undefined
      const { snapshot } = standing
      if (snapshot.policyHash !== policyHash) return undefined
      await trust.begin()
      let proofs: readonly Proof[]
      try {
        proofs = verifyAgain(signatures, standing.proofs, verificationOf(scope))
      } catch {
        return undefined
      }
      return confirmed(cell, standing, { signatures, proofs }, given)
    },
  }

  async function install(
    cell: Cell,
    scope: Scope,
    unverified: UnverifiedBundle,
    given: InstallOptions,
    times?: Pick<KeptPolicy, 'verifiedAt' | 'activatedAt'>,
  ): Promise<InstallResult> {
    const verified = await turns(verifySliced(unverified, verificationOf(scope), crypto))
    await trust.begin()
    const { signatures, proofs } = verified
    const standing = cell.read()
    if (standing.status === 'active' && standing.snapshot.policyHash === verified.policyHash) {
      return confirmed(cell, standing, verified, given)
    }
    const expected = expectationOf(given)
    const bundle = await turns(decodeSliced(verified, expected, options.text))
    const held = standing.status === 'no_policy' ? undefined : standing.snapshot
    await requireFloor(bundle, held)
    const snapshot = await turns(compileSliced(bundle, conditions))
    requirePassed(await turns(runSelfTestsSliced(bundle, snapshot, expected.now)))
    const state = { ...ageOf(snapshot, given, times), signatures, proofs }
    if (times === undefined) {
      // First the bytes: the state never names what is not there.
      await kept?.putBundle(snapshot.policyHash, verified.bytes, signatures)
      await keep(state, given)
    }
    const status = await activate(snapshot, given, () => requireFloor(snapshot, held))
    // The trust root may have been replaced meanwhile: revocation is immediate.
    verifyAgain(signatures, proofs, verificationOf(scope))
    cell.swap(state)
    return result(status, snapshot)
  }

  /** What is installed was verified again: only its time moves. */
  async function confirmed(
    cell: Cell,
    standing: Standing & Installed,
    { signatures, proofs }: Pick<Installed, 'signatures' | 'proofs'>,
    given: InstallOptions,
  ): Promise<InstallResult> {
    const { snapshot, activatedAt } = standing
    checkExpected(snapshot, snapshot.scope, expectationOf(given))
    await requireFloor(snapshot, snapshot)
    const now = recorder.now()
    const next = ageOf(snapshot, given, { verifiedAt: now, activatedAt })
    if (cell.read() !== standing) {
      throw new KernelError('POLICY_INVALIDATED', 'the policy was closed while it was verified')
    }
    cell.swap({ ...next, signatures, proofs })
    const lag = now - (keptAt.get(scopeKey(snapshot.scope)) ?? -Infinity)
    if (lag >= Math.min(maxLag, next.maxAge / 10)) {
      // A restart would then take the policy for older than it is, which is safe.
      await keep(next, given).catch((error: unknown) => options.warn?.(messageOf(error)))
    }
    return result('no_change', snapshot)
  }

  function verificationOf(scope: Scope): Verification {
    const signatureRequired = options.signatureRequired ?? false
    return { trust: trust.current(), scope, signatureRequired }
  }

  function expectationOf({ policyEpoch }: InstallOptions): Expectation {
    const { audience, maxLifetime } = options
    return { now: recorder.now(), policyEpoch, audience, maxLifetime }
  }

  async function requireFloor(
    policy: Parameters<typeof checkFloor>[0],
    held: EffectivePolicySnapshot | undefined,
  ): Promise<ScopeState> {
    const state = (await store.state()).scope(policy.scope)
    checkFloor(policy, state, trust.current().epochFloor, held)
    return state
  }

  async function keep(
    { snapshot, verifiedAt, activatedAt }: Omit<Installed, 'signatures' | 'proofs'>,
    { source = 'install', bundleRef = '' }: InstallOptions,
  ): Promise<void> {
    const { scope, policyHash } = snapshot
    await kept?.putState(scope, { policyHash, verifiedAt, activatedAt, source, bundleRef })
    keptAt.set(scopeKey(scope), verifiedAt)
  }

  /** Verified now, or when it was; a time that is still to come says nothing: then it is too old. */
  function ageOf(
    snapshot: EffectivePolicySnapshot,
    { maxAge = Infinity }: InstallOptions,
    times?: Pick<KeptPolicy, 'verifiedAt' | 'activatedAt'>,
  ): { readonly status: 'active' } & Omit<Installed, 'signatures' | 'proofs'> {
    const now = recorder.now()
    const given = times?.verifiedAt ?? now
    const verifiedAt = given <= now ? given : now - (Number.isFinite(maxAge) ? maxAge + 1 : 0)
    const monotonic = clock.monotonic()
    return {
      status: 'active',
      snapshot,
      verifiedAt,
      verifiedMonotonic: monotonic - (now - verifiedAt),
      expiresMonotonic: monotonic + ((snapshot.expiresAt ?? Infinity) - now),
      maxAge,
      activatedAt: times?.activatedAt ?? now,
    }
  }
}

function result(status: InstallResult['status'], snapshot: EffectivePolicySnapshot): InstallResult {
  const { scope, policyEpoch, policyHash } = snapshot
  return Object.freeze({ status, scope, policyEpoch, policyHash })
}
