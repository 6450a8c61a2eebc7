import { equalBytes } from '../bytes/equal.ts'
import { isKernelError } from '../error.ts'
import { type Check, createFindings, type Findings } from '../receipt/findings.ts'
import { describeKeys, type LedgerKey } from '../receipt/key-ring.ts'
import type { Statement } from '../receipt/statement.ts'
import { checkHeld, checkSigned, readClaim } from './check-head.ts'
import type { Pause } from './pause.ts'
import { type Followed, followEntries, trustedKeys } from './follow-entries.ts'
import { encodeKeys } from './keys-document.ts'
import { checkpointName, keysName, malformed, saltsName } from './member.ts'
import { checkMembers, memberOf, type OpenedPack } from './open-pack.ts'
import type { PackTrust } from './pack-trust.ts'
import { checkPolicies, checkPolicySignatures, policiesNamed } from './policies.ts'
import { readEntries } from './read-entries.ts'
import { checkSalts } from './salts.ts'

/** The checks of a pack whose members are those of its manifest. Throws nothing for what is in them. */
export async function checkContents(
  pack: OpenedPack,
  trust: PackTrust,
  pause: Pause,
): Promise<readonly Check[]> {
  const { facts, members } = pack
  const { crypto } = trust
  const findings = createFindings()
  const { ledgerId } = facts.identity
  if (trust.ledgerId !== undefined && ledgerId !== trust.ledgerId) {
    findings.fail('receipts', `they are of ledger ${ledgerId}, not of ${trust.ledgerId}`)
  }
  const note = members.get(checkpointName) ?? new Uint8Array()
  const claim = readClaim(note)
  const entries = await readEntries(pack, claim, crypto, findings, pause)
  const followed = await followEntries(entries, facts, crypto, findings, pause)
  const statements = entries.filter(({ isKey }) => !isKey).map(({ statement }) => statement)
  const trusted = trustedKeys(followed.keys, trust.keys)
  const logKeys = trust.logKeys ?? trusted.map(({ logPublicKey }) => logPublicKey)
  const checkpoint = checkSigned(note, facts, trust, logKeys)
  const policies = policiesNamed(statements)
  await attempt(findings, 'keys', () => checkKeysDocument(pack, followed.keys))
  await attempt(findings, 'contents', () => checkMembers(pack, policies))
  const { from, to, treeSize } = facts
  const before = from === 1 ? 'from its opening' : `seq ${from - 1} and before are not in it`
  return [
    findings.check('receipts', `${statements.length}, each in its one encoding, of the scope`),
    findings.check('chain', `seq ${from} to ${to} without a gap, ${before}`),
    findings.check('signatures', 'each by the key of its time'),
    findings.check('keys', describeKeys(followed.keys)),
    checkTrusted(followed, trusted, trust.keys),
    checkpoint,
    checkpoint.status === 'pass'
      ? findings.check('inclusion', `each is in the tree of ${treeSize} entries`)
      : {
          name: 'inclusion',
          status: 'not_applicable',
          detail: 'proves nothing: the checkpoint is not known to be of the log',
        },
    checkHeld(claim, trust.checkpoints ?? []),
    checkPolicies(pack, policies),
    await checkPolicySignatures(pack, statements, trust, pause),
    await checkDisclosed(pack, statements, findings, pause),
    findings.check('contents', 'what the receipts need, and nothing else'),
  ]
}

/** Whether every receipt of the scope is signed by a key that the caller gave, or that one vouched for. */
function checkTrusted(
  { signers }: Followed,
  trusted: readonly LedgerKey[],
  given: readonly Uint8Array[],
): Check {
  const name = 'key_trusted'
  if (given.length === 0) {
    const detail = 'no key was given, and the keys of a pack are never trusted: give one'
    return { name, status: 'fail', detail }
  }
  const foreign = [...signers].filter((key) => !trusted.includes(key))
  if (foreign.length > 0 || signers.size === 0) {
    const ids = foreign.map(({ keyId }) => keyId).join(', ') || 'no key'
    const detail = `signed by ${ids}, which is not given and for which no given key vouched`
    return { name, status: 'fail', detail }
  }
  const ids = [...signers].map(({ keyId }) => keyId).join(', ')
  return { name, status: 'pass', detail: `signed by ${ids}, given or vouched for by a given key` }
}

function checkKeysDocument({ members }: OpenedPack, keys: readonly LedgerKey[]): void {
  if (equalBytes(memberOf(members, keysName), encodeKeys(keys))) return
  throw malformed(`${keysName} is not what the key receipts say`)
}

async function checkDisclosed(
  { facts, members }: OpenedPack,
  statements: readonly Statement[],
  findings: Findings,
  pause: Pause,
): Promise<Check> {
  const name = 'salts'
  if (!facts.salts) return { name, status: 'not_applicable', detail: 'none are disclosed' }
  await attempt(findings, name, () => checkSalts(memberOf(members, saltsName), statements, pause))
  return findings.check(name, 'one for each decision; they show only with the arguments')
}

/** Fails the check with what the work throws. */
async function attempt(
  findings: Findings,
  name: string,
  work: () => void | Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isKernelError(error)) throw error
    findings.fail(name, error.message)
  }
}
