import type { Brand } from '../bytes/brand.ts'
import type { Digest } from '../bytes/digest.ts'
import { finish } from '../bytes/finish.ts'
import type { Json } from '../bytes/json.ts'
import { decodeCanonicalSliced } from '../bytes/scan.ts'
import { timestamp } from '../bytes/time.ts'
import { KernelError } from '../error.ts'
import type { KeyId } from '../crypto/key-id.ts'
import { sameScope, type Scope, scopeKey } from '../trust/scope.ts'
import type { PolicyBundle } from './document.ts'
import { parseBundle, parseBundleSliced } from './parse.ts'
import { maxBundleBytes, type Provenance, type VerifiedBytes } from './verify.ts'

interface Decoded extends PolicyBundle {
  readonly policyHash: Digest
  readonly keyIds: readonly KeyId[]
  readonly provenance: Provenance
}

/** A bundle that is authentic and says what the kernel expects of it. Only `decode` makes one. */
export type VerifiedBundle = Brand<Decoded, 'VerifiedBundle'>

/** What the kernel expects a bundle to say. */
export interface Expectation {
  /** Wall time, ms. */
  readonly now: number
  /** Of the head; undefined when it named none. */
  readonly policyEpoch?: number | undefined
  /** The kernel's own `HELM_POLICY_AUDIENCE`; undefined when none is set. */
  readonly audience?: string | undefined
  /** When set, both times must be there and at most so many ms apart. */
  readonly maxLifetime?: number | undefined
}

/** A host's strict UTF-8 decoder, where it has a faster one than ours: it throws, and keeps a BOM. */
export type TextDecoding = (bytes: Uint8Array) => string

const maxRuleBytes = 64 * 1024
const maxClockSkew = 5 * 60_000

/**
 * Parses verified bytes in slices, then checks what they say (design 3.2, step 6). Yields between
 * slices, so that a caller with an event loop can let others in. Throws `NOT_CANONICAL`,
 * `BUNDLE_MALFORMED`, `SCOPE_MISMATCH`, `EPOCH_MISMATCH`, `AUDIENCE_MISMATCH`, `BUNDLE_EXPIRED`,
 * `NOT_YET_VALID`, `EXPIRY_MISSING` or `LIFETIME_TOO_LONG`.
 */
export function* decodeSliced(
  verified: VerifiedBytes,
  expected: Expectation,
  text?: TextDecoding,
): Generator<undefined, VerifiedBundle> {
  const limits = text === undefined ? bundleLimits : { ...bundleLimits, text }
  const json = yield* decodeCanonicalSliced(verified.bytes, limits)
  const bundle = yield* parseBundleSliced(json)
  checkExpected(bundle, verified.scope, expected)
  const { policyHash, keyIds, provenance } = verified
  return Object.freeze({ ...bundle, policyHash, keyIds, provenance }) as Decoded as VerifiedBundle
}

/** `decodeSliced`, run to its end. */
export function decode(verified: VerifiedBytes, expected: Expectation): VerifiedBundle {
  return finish(decodeSliced(verified, expected))
}

/** A look at bytes that nobody verified; `compile` does not take it. Throws as `decode` does. */
export function inspect(bytes: Uint8Array): PolicyBundle {
  return parseBundle(finish<Json>(decodeCanonicalSliced(bytes, bundleLimits)))
}

const bundleLimits = {
  maxBytes: maxBundleBytes,
  code: 'BUNDLE_MALFORMED',
  notCanonical: 'NOT_CANONICAL',
  what: 'bundle',
  elementsOf: 'rules',
  maxElementBytes: maxRuleBytes,
} as const

/**
 * Checks what a bundle, or the snapshot made of it, says against what the kernel expects now. Throws
 * as `decodeSliced` does.
 */
export function checkExpected(
  bundle: Pick<PolicyBundle, 'scope' | 'policyEpoch' | 'audience' | 'issuedAt' | 'expiresAt'>,
  scope: Scope,
  expected: Expectation,
): void {
  const { now, audience, policyEpoch, maxLifetime } = expected
  const { issuedAt, expiresAt } = bundle
  if (!sameScope(bundle.scope, scope)) {
    refuse(
      'SCOPE_MISMATCH',
      `the bundle is for ${scopeKey(bundle.scope)}, asked for was ${scopeKey(scope)}`,
    )
  }
  if (policyEpoch !== undefined && policyEpoch !== bundle.policyEpoch) {
    refuse('EPOCH_MISMATCH', `the head says ${policyEpoch}, the bundle says ${bundle.policyEpoch}`)
  }
  if (audience === undefined && bundle.audience !== undefined) {
    refuse('AUDIENCE_MISMATCH', 'the bundle names an audience: set HELM_POLICY_AUDIENCE')
  }
  if (audience !== undefined && bundle.audience?.includes(audience) !== true) {
    refuse('AUDIENCE_MISMATCH', `the bundle is not for audience "${audience}"`)
  }
  if (expiresAt !== undefined && expiresAt <= now) {
    refuse('BUNDLE_EXPIRED', `the bundle expired at ${timestamp(expiresAt)}: sign a newer one`)
  }
  if (issuedAt !== undefined && issuedAt > now + maxClockSkew) {
    refuse(
      'NOT_YET_VALID',
      `the bundle is issued at ${timestamp(issuedAt)}, more than 5 minutes ahead: check the clocks`,
    )
  }
  if (maxLifetime === undefined) return
  if (issuedAt === undefined || expiresAt === undefined) {
    refuse('EXPIRY_MISSING', 'HELM_POLICY_MAX_LIFETIME demands issued_at and expires_at')
  }
  if (expiresAt - issuedAt > maxLifetime) {
    refuse('LIFETIME_TOO_LONG', `the bundle lives longer than ${maxLifetime} ms`)
  }
}

function refuse(
  code:
    | 'SCOPE_MISMATCH'
    | 'EPOCH_MISMATCH'
    | 'AUDIENCE_MISMATCH'
    | 'BUNDLE_EXPIRED'
    | 'NOT_YET_VALID'
    | 'EXPIRY_MISSING'
    | 'LIFETIME_TOO_LONG',
  message: string,
): never {
  throw new KernelError(code, message)
}
