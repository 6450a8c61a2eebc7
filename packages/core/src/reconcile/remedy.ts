import type { ErrorCode } from '../error.ts'
import type { PolicyCode } from '../reason.ts'

const source = 'look at the settings of the policy source, and at what it has'
const signAgain = 'sign the exact bytes of the bundle again, and deliver them with that signature'
const rebuild = 'correct the policy at that place, build it with bundle build, and sign it again'
const raise = 'build the bundle with a higher policy_epoch, and sign it again'
const trustKey = 'set HELM_POLICY_TRUST_PUBLIC_KEY or HELM_POLICY_TRUST_ROOT to who signs policy'

/** What an operator does when policy was not installed. */
const remedies = {
  SOURCE_UNREACHABLE: source,
  SOURCE_TIMEOUT: 'look at the disk or the network behind the policy source',
  SOURCE_TOO_LARGE:
    'make the policy smaller: a bundle is at most 64 MiB, policy.yaml at most 1 MiB',
  SOURCE_EMPTY: 'deliver policy for this scope to the source',
  SOURCE_AMBIGUOUS: 'leave one form of the policy there',
  HEAD_MALFORMED: 'correct what the policy source answers at that member',
  SCOPE_MISMATCH: 'build the bundle for the scope that it is delivered for',
  SCOPE_CONFLICT: 'leave one object for the scope',
  HASH_MISMATCH: 'wait for the next poll; if it stays, look at who writes the source',
  SIGNATURE_MISSING: 'sign the bundle, and deliver the signature with it',
  SIGNATURE_INVALID: `${signAgain}, or correct the trust key`,
  KEY_UNTRUSTED: `sign with a trusted key, or ${trustKey}`,
  THRESHOLD_NOT_MET: 'have as many people sign as the trust root asks for',
  TRUST_KEY_MISSING: trustKey,
  TRUST_ROOT_ROLLBACK: 'give the trust root a higher version',
  NOT_CANONICAL: 'deliver the bytes that bundle build made, unchanged',
  BUNDLE_MALFORMED: rebuild,
  EPOCH_MISMATCH: 'let the head and the bundle name one epoch',
  EPOCH_ROLLBACK: raise,
  EPOCH_EQUIVOCATION: raise,
  EPOCH_JUMP: 'build the bundle with a policy_epoch near the installed one',
  AUDIENCE_MISMATCH: 'let HELM_POLICY_AUDIENCE and the audience of the bundle agree',
  BUNDLE_EXPIRED: 'issue a newer bundle',
  NOT_YET_VALID: 'compare the clocks of this machine and of who issued the bundle',
  EXPIRY_MISSING: 'issue bundles with issued_at and expires_at, or unset HELM_POLICY_MAX_LIFETIME',
  LIFETIME_TOO_LONG: 'issue bundles that live shorter, or raise HELM_POLICY_MAX_LIFETIME',
  COMPILE_FAILED: rebuild,
  SELF_TEST_FAILED: 'correct the rule or the test, build the bundle and sign it again',
} as const satisfies Record<PolicyCode, string>

/** What to do about a code, as an order to a person. */
export function remedyOf(code: ErrorCode): string {
  return Object.hasOwn(remedies, code)
    ? remedies[code as PolicyCode]
    : 'look into the log, and at the other reasons of /readyz'
}
