import { isKernelError } from '../error.ts'
import { type AuditVerdict, type Check, verdictOf } from '../receipt/findings.ts'
import { scopeKey } from '../trust/scope.ts'
import { checkContents } from './check-contents.ts'
import type { PackFacts } from './manifest.ts'
import { openPack, readMembers } from './open-pack.ts'
import type { PackTrust } from './pack-trust.ts'
import { idle, type Pause } from './pause.ts'

export interface VerifyPackOptions extends PackTrust {
  readonly pause?: Pause
}

/** Three-state checks (design 2.8): always the same ones, in the same order. */
export interface PackResult {
  readonly verdict: AuditVerdict
  readonly checks: readonly Check[]
  /** What the pack says it is; true only when the verdict is PASS. Undefined when it does not say. */
  readonly facts: PackFacts | undefined
}

const checkNames: readonly string[] = [
  ...['form', 'manifest', 'receipts', 'chain', 'signatures', 'keys', 'key_trusted', 'checkpoint'],
  ...['inclusion', 'held_checkpoint', 'policies', 'policy_signatures', 'salts', 'contents'],
]

/**
 * Verifies an evidence pack from its bytes and from keys that the caller trusts. The keys that the pack
 * carries count for nothing, unless a receipt that a trusted key signed vouches for them. What is in the
 * bytes is told in the result, never thrown.
 *
 * @example
 * ```ts
 * const { verdict, checks } = await verifyPack(bytes, { crypto: nobleCrypto, keys: [publicKey] })
 * ```
 */
export async function verifyPack(
  bytes: Uint8Array,
  options: VerifyPackOptions,
): Promise<PackResult> {
  const { crypto, pause = idle } = options
  const checks = new Map<string, Check>()
  let facts: PackFacts | undefined
  try {
    const members = await readMembers(bytes, pause)
    pass('form', `${members.size} members in the one form of a pack`)
    const pack = await openPack(crypto, members, pause)
    facts = pack.facts
    const { from, to, scope } = facts
    pass('manifest', `${scopeKey(scope)}, seq ${from} to ${to}, and the digest of each member`)
    for (const check of await checkContents(pack, options, pause)) checks.set(check.name, check)
  } catch (error) {
    if (!isKernelError(error)) throw error
    const name = checks.has('form') ? 'manifest' : 'form'
    checks.set(name, { name, status: 'fail', detail: error.message })
  }
  // INVARIANT: what was not reached is named, and something before it failed.
  const all = checkNames.map(
    (name): Check => checks.get(name) ?? { name, status: 'not_applicable', detail: 'not reached' },
  )
  return { verdict: verdictOf(all), checks: all, facts }

  function pass(name: string, detail: string): void {
    checks.set(name, { name, status: 'pass', detail })
  }
}
