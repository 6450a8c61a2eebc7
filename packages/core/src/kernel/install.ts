import { type BundleRef } from '../bundle/document.ts'
import { checkExpected, decodeSliced, type Expectation } from '../bundle/decode.ts'
import { encodeSignatures, parseSignatures, type Signatures } from '../bundle/signature.ts'
import {
  maxBundleBytes,
  type UnverifiedBundle,
  verify,
  type VerifiedBytes,
} from '../bundle/verify.ts'
import type { Digest } from '../bytes/digest.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Cell, Installed } from '../policy/cell.ts'
import { compileSliced } from '../policy/compile.ts'
import { requireSelfTests } from '../policy/self-test.ts'
import type { EffectivePolicySnapshot } from '../policy/snapshot.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Keep } from '../ports/keep.ts'
import type { Mark, ScopeState } from '../ports/receipt-store.ts'
import type { ActivationBody } from '../receipt/statement.ts'
import type { Scope } from '../trust/scope.ts'
import { checkFloor } from './floor.ts'
import type { KernelOptions } from './options.ts'
import type { Recorder } from './recorder.ts'

/** Where a bundle came from, and what the head said of it. */
export interface InstallOptions {
  readonly scope?: Scope
  /** Of the head: what the bytes must hash to, and the epoch they must say. */
  readonly policyHash?: Digest
  readonly policyEpoch?: number
  /** For the activation receipt. Default `install` and empty. */
  readonly source?: string
  readonly bundleRef?: string
  /** Ms without a new verification after which the policy is stale. Default: it never is. */
  readonly maxAge?: number
}

/** What an install did: `activated` is new policy, `resumed` was active before, in an earlier process. */
export interface InstallResult extends BundleRef {
  readonly status: 'activated' | 'resumed' | 'no_change'
}

/** The bytes of a `.sig` file, its text, or signatures that were read before. */
export type SignatureInput = Uint8Array | string | Signatures

export type Installer = (
  cell: Cell,
  scope: Scope,
  bundle: UnverifiedBundle,
  options: InstallOptions,
) => Promise<InstallResult>

/** Longest run of an install's own work between two turns of the host's event loop, in ms. */
const turn = 4

/**
 * The steps of an install (design 3.2, 4 to 9). Each refuses with its own code; the swap is the last
 * step and one assignment, so an install that fails changes nothing.
 */
export function createInstaller(
  options: KernelOptions,
  crypto: Crypto,
  recorder: Recorder,
): Installer {
  const { trust, clock, store, conditions, keep } = options
  const signatureRequired = options.signatureRequired ?? false

  return async (cell, scope, unverified, given) => {
    const verified = verify(unverified, { trust, scope, signatureRequired }, crypto)
    await recorder.begin()
    const expected: Expectation = {
      now: recorder.now(),
      policyEpoch: given.policyEpoch,
      audience: options.audience,
      maxLifetime: options.maxLifetime,
    }
    const standing = cell.read()
    if (standing.status === 'active' && standing.snapshot.policyHash === verified.policyHash) {
      checkExpected(standing.snapshot, scope, expected)
      requireFloor(standing.snapshot, (await store.state()).scope(scope))
      cell.swap(installed(standing.snapshot, given))
      return result('no_change', standing.snapshot)
    }
    const bundle = await inTurns(decodeSliced(verified, expected, options.text))
    requireFloor(bundle, (await store.state()).scope(scope))
    const snapshot = await inTurns(compileSliced(bundle, conditions))
    requireSelfTests(bundle, snapshot, expected.now)
    if (keep !== undefined) await keepBundle(keep, verified, unverified.signatures)
    const status = await activate(snapshot, given)
    cell.swap(installed(snapshot, given))
    return result(status, snapshot)
  }

  function requireFloor(
    policy: Pick<EffectivePolicySnapshot, 'policyEpoch' | 'policyHash' | 'provenance' | 'scope'>,
    state: ScopeState,
  ): 'new' | 'same' {
    return checkFloor(policy, state, trust.epochFloor)
  }

  async function activate(
    snapshot: EffectivePolicySnapshot,
    given: InstallOptions,
  ): Promise<'activated' | 'resumed'> {
    const { scope, policyEpoch, policyHash, keyIds, provenance } = snapshot
    for (;;) {
      const state = (await store.state()).scope(scope)
      if (requireFloor(snapshot, state) === 'same') return 'resumed'
      const signed = provenance === 'signed'
      const previous = (signed ? state.signed : undefined) ?? state.unsigned
      const body: ActivationBody = {
        kind: 'activation',
        policy_epoch: policyEpoch,
        policy_hash: policyHash,
        signed,
        key_ids: keyIds,
        source: given.source ?? 'install',
        bundle_ref: given.bundleRef ?? '',
        previous_epoch: previous?.epoch ?? null,
        previous_hash: previous?.hash ?? null,
      }
      // Decided again in the store's critical section: another replica may have moved the floor.
      const receipt = await recorder.record({ scope, body }, (now) =>
        hasMoved(now, state) ? 'POLICY_BEHIND' : undefined,
      )
      if ('statement' in receipt) return 'activated'
    }
  }

  function installed(
    snapshot: EffectivePolicySnapshot,
    given: InstallOptions,
  ): { readonly status: 'active' } & Installed {
    const verifiedAt = recorder.now()
    const verifiedMonotonic = clock.monotonic()
    return {
      status: 'active',
      snapshot,
      verifiedAt,
      verifiedMonotonic,
      expiresMonotonic: verifiedMonotonic + ((snapshot.expiresAt ?? Infinity) - verifiedAt),
      maxAge: given.maxAge ?? Infinity,
    }
  }

  /** Runs sliced work, letting decisions in between slices. */
  async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
    let begun = clock.monotonic()
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      if (clock.monotonic() - begun < turn) continue
      await clock.sleep(0)
      begun = clock.monotonic()
    }
  }
}

/**
 * Takes a delivery as it is at this moment. INVARIANT: nothing that will be verified can be changed by
 * whoever gave it. Throws `SOURCE_TOO_LARGE` or `SIGNATURE_INVALID`.
 */
export function deliver(
  bytes: Uint8Array,
  signatures: SignatureInput | undefined,
  { policyHash }: InstallOptions,
): UnverifiedBundle {
  if (bytes.length > maxBundleBytes) {
    throw new KernelError('SOURCE_TOO_LARGE', 'a bundle is at most 64 MiB')
  }
  return { bytes: bytes.slice(), signatures: signaturesOf(signatures), policyHash }
}

/** Whether an activation came between two readings of a scope's state. */
function hasMoved(now: ScopeState, then: ScopeState): boolean {
  return isOther(now.signed, then.signed) || isOther(now.unsigned, then.unsigned)
}

function isOther(a: Mark | undefined, b: Mark | undefined): boolean {
  return a?.epoch !== b?.epoch || a?.hash !== b?.hash
}

function signaturesOf(input: SignatureInput | undefined): Signatures {
  if (input === undefined) return []
  if (typeof input === 'string') return parseSignatures(encodeUtf8(input))
  return input instanceof Uint8Array ? parseSignatures(input) : input
}

/** Policies that receipts name are kept for ever, by their hash. */
async function keepBundle(
  keep: Keep,
  verified: VerifiedBytes,
  signatures: Signatures,
): Promise<void> {
  const name = `policies/${verified.policyHash.slice('sha256:'.length)}.bundle`
  if ((await keep.get(name)) !== undefined) return
  if (signatures.length > 0) await keep.put(`${name}.sig`, encodeSignatures(signatures))
  await keep.put(name, verified.bytes)
}

function result(status: InstallResult['status'], snapshot: EffectivePolicySnapshot): InstallResult {
  const { scope, policyEpoch, policyHash } = snapshot
  return Object.freeze({ status, scope, policyEpoch, policyHash })
}
