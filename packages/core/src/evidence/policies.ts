import { parseSignatures, verifySignatures } from '../bundle/signature.ts'
import type { Digest } from '../bytes/digest.ts'
import { verifySignatureSliced } from '../crypto/sliced.ts'
import { isKernelError } from '../error.ts'
import type { Check } from '../receipt/findings.ts'
import type { Statement } from '../receipt/statement.ts'
import { policyName, signatureName } from './member.ts'
import { memberOf, type OpenedPack } from './open-pack.ts'
import type { PackTrust } from './pack-trust.ts'
import { inTurns, type Pause } from './pause.ts'

/**
 * The policies under which something was decided, approved or put in force, each once and sorted. What
 * was only desired (`rejection`) or came before (`previous_hash`) is in force nowhere in the range.
 */
export function policiesNamed(statements: readonly Statement[]): readonly Digest[] {
  const named = new Set<Digest>()
  for (const statement of statements) {
    const hash = policyOf(statement)
    if (hash !== null) named.add(hash)
  }
  return [...named].sort()
}

/** The check `policies`: whether each is here, with the digest that receipts name. */
export function checkPolicies({ digests }: OpenedPack, policies: readonly Digest[]): Check {
  const name = 'policies'
  if (policies.length === 0) {
    return { name, status: 'not_applicable', detail: 'the receipts name none' }
  }
  const wrong = policies.find((hash) => digests.get(policyName(hash)) !== hash)
  return wrong === undefined
    ? {
        name,
        status: 'pass',
        detail: `${policies.length}, each with the digest that receipts name`,
      }
    : {
        name,
        status: 'fail',
        detail: `${wrong} is named by receipts, and not here with that digest`,
      }
}

/**
 * The check `policy_signatures`: whether those that were in force as signed are signed by policy keys
 * that the caller trusts, now as they were then.
 */
export async function checkPolicySignatures(
  { facts, members }: OpenedPack,
  statements: readonly Statement[],
  { crypto, policyTrust }: PackTrust,
  pause: Pause,
): Promise<Check> {
  const name = 'policy_signatures'
  if (policyTrust === undefined) {
    return { name, status: 'not_applicable', detail: 'no policy key was given' }
  }
  const signed = policiesNamed(statements.filter(wasSigned))
  for (const hash of signed) {
    try {
      const bytes = memberOf(members, policyName(hash))
      const signatures = parseSignatures(memberOf(members, signatureName(hash)))
      const verifies = (publicKey: Uint8Array, signature: Uint8Array) =>
        verifySignatureSliced(crypto, publicKey, signature, bytes)
      await inTurns(verifySignatures(signatures, policyTrust, facts.scope, verifies), pause)
    } catch (error) {
      if (!isKernelError(error)) throw error
      return { name, status: 'fail', detail: `${hash}: ${error.message}` }
    }
  }
  return signed.length === 0
    ? { name, status: 'not_applicable', detail: 'the receipts name no signed policy' }
    : {
        name,
        status: 'pass',
        detail: `${signed.length} signed, each by policy keys that were given`,
      }
}

function policyOf(statement: Statement): Digest | null {
  return statement.kind === 'decision' ||
    statement.kind === 'activation' ||
    statement.kind === 'approval'
    ? statement.policy_hash
    : null
}

function wasSigned(statement: Statement): boolean {
  if (statement.kind === 'decision') return statement.policy_signed === true
  return statement.kind === 'activation' && statement.signed
}
