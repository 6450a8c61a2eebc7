import type { Digest } from '../bytes/digest.ts'
import { equalBytes } from '../bytes/equal.ts'
import { KernelError } from '../error.ts'
import { type Checkpoint, claimedCheckpoint } from '../log/checkpoint.ts'
import { openNote } from '../log/note.ts'
import { verifyInclusion } from '../log/proof.ts'
import { rootOfTiles, type TileReader } from '../log/tiled-proof.ts'
import { formatProof } from '../log/tlog-proof.ts'
import { leafHash } from '../log/tree.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { LedgerIdentity, Stored } from '../ports/receipt-store.ts'
import { decodeEntry } from '../receipt/entry.ts'
import { createKeyRing } from '../receipt/key-ring.ts'
import { scopeOfStatement } from '../receipt/state.ts'
import { sameScope, type Scope, scopeKey, systemScope } from '../trust/scope.ts'
import { digestMembers } from './digests.ts'
import { encodeKeys } from './keys-document.ts'
import { encodeManifest } from './manifest.ts'
import * as member from './member.ts'
import { idle, type Pause } from './pause.ts'
import { policiesNamed } from './policies.ts'
import { createProver } from './prover.ts'
import { encodeSalts, type SaltOf } from './salts.ts'
import { encodeTar, tarLength } from './tar.ts'

/** A policy as it was kept when it was installed. */
export interface KeptBundle {
  readonly bytes: Uint8Array
  /** The content of its `.sig` file; absent when it came unsigned. */
  readonly signature?: Uint8Array
}

/** What a pack is made of. */
export interface PackInput {
  readonly crypto: Crypto
  readonly identity: LedgerIdentity
  readonly scope: Scope
  /** 1 to 10,000 receipts of the scope, without a gap, all in the tree. */
  readonly receipts: readonly Stored[]
  /** Every `key` receipt of the ledger, in log order; those beyond the tree are left out. */
  readonly keyReceipts: readonly Stored[]
  /** The signed note of the tree: a published one, with the cosignatures that it has. */
  readonly checkpoint: Uint8Array
  readonly tiles: TileReader
  readonly policies: (policyHash: Digest) => Promise<KeptBundle | undefined>
  /** Discloses the salts of all decisions; left out, none is. */
  readonly saltOf?: SaltOf
  readonly pause?: Pause
}

/**
 * Makes an evidence pack (design 2.8): the same receipts in the same checkpoint are the same bytes.
 *
 * Beside the members of the design it holds the ledger's own `key` receipts with their proofs, as
 * `keys/<log index>.json` and `.tlog-proof`: signed statements of which log key goes with a receipt key,
 * and of who followed whom. So one public key of the ledger is all that a verifier must bring, also
 * after a rotation that the key before vouched for.
 *
 * Throws `EVIDENCE_INVALID` (no such range, or a policy that is not kept), `TOO_LARGE` (the pack would
 * be over 64 MiB or 10,000 receipts), `PROOF_INVALID`, or as `openNote` when the checkpoint is not the
 * log's.
 */
export async function buildPack(input: PackInput): Promise<Uint8Array<ArrayBuffer>> {
  const { crypto, identity, scope, receipts, checkpoint, tiles, saltOf } = input
  const pause = input.pause ?? idle
  const { from, to } = checkRange(scope, receipts)
  const { size, root } = await checkTree(input)
  const keyReceipts = input.keyReceipts.filter(({ logIndex }) => logIndex < size)
  const members = new Map<string, Uint8Array>()
  // The manifest and the end, roughly; encodeTar counts exactly.
  let length = 4096
  add(member.checkpointName, checkpoint)
  for (const { statement, entry } of receipts) {
    add(member.receiptName(statement.seq), entry)
    await pause()
  }
  for (const { logIndex, entry } of keyReceipts) add(member.keyName(logIndex), entry)
  add(member.keysName, encodeKeys(followKeys(crypto, keyReceipts)))
  const statements = receipts.map(({ statement }) => statement)
  const policies = policiesNamed(statements)
  for (const hash of policies) {
    const policy = await input.policies(hash)
    if (policy === undefined) {
      throw new KernelError('EVIDENCE_INVALID', `the policy ${hash} that receipts name is not kept`)
    }
    add(member.policyName(hash), policy.bytes)
    if (policy.signature !== undefined) add(member.signatureName(hash), policy.signature)
  }
  if (saltOf !== undefined) add(member.saltsName, await encodeSalts(statements, saltOf, pause))

  const prove = createProver(crypto, tiles, size)
  for (const receipt of keyReceipts) await addProof(member.keyProofName(receipt.logIndex), receipt)
  for (const receipt of receipts) {
    await addProof(member.receiptProofName(receipt.statement.seq), receipt)
  }
  const facts = { identity, scope, from, to, treeSize: size, salts: saltOf !== undefined }
  const digests = await digestMembers(crypto, members, pause)
  for (const hash of policies) {
    if (digests.get(member.policyName(hash)) === hash) continue
    throw new KernelError('EVIDENCE_INVALID', `what is kept as the policy ${hash} is another`)
  }
  members.set(member.manifestName, await encodeManifest(facts, digests, pause))
  return encodeTar(members, pause)

  async function addProof(name: string, { logIndex: index, entry }: Stored): Promise<void> {
    const hashes = await prove(index)
    const claim = { leafHash: leafHash(crypto, entry), index, size, root }
    if (!verifyInclusion(crypto, claim, hashes)) {
      throw new KernelError('PROOF_INVALID', `the tiles and entry ${index} of the log disagree`)
    }
    add(name, formatProof({ index, hashes, checkpoint }))
    await pause()
  }

  function add(name: string, bytes: Uint8Array): void {
    member.checkMember(name, bytes.length)
    // A line of the manifest has some 95 bytes beside the name.
    length += tarLength(bytes.length) + name.length + 100
    if (length > member.maxPackBytes) {
      throw tooLarge(`would have more than ${member.maxPackBytes} bytes`)
    }
    members.set(name, bytes)
  }
}

function checkRange(scope: Scope, receipts: readonly Stored[]): { from: number; to: number } {
  const from = receipts[0]?.statement.seq ?? 0
  if (receipts.length > member.maxReceipts) {
    throw tooLarge(`has at most ${member.maxReceipts} receipts, not ${receipts.length}`)
  }
  const isRange = receipts.every(
    ({ statement }, i) =>
      statement.seq === from + i && sameScope(scopeOfStatement(statement), scope),
  )
  if (from === 0 || !isRange || sameScope(scope, systemScope)) {
    throw new KernelError(
      'EVIDENCE_INVALID',
      `a pack has receipts of ${scopeKey(scope)} without a gap, one at least, and none of helm/system`,
    )
  }
  return { from, to: from + receipts.length - 1 }
}

/** INVARIANT: no pack is made that would not verify: the note is of this log, and the tiles lead to it. */
async function checkTree(input: PackInput): Promise<Checkpoint> {
  const { crypto, identity, receipts, keyReceipts, checkpoint, tiles } = input
  const claim = claimedCheckpoint(checkpoint)
  if (claim.origin !== identity.origin) {
    throw new KernelError(
      'CHECKPOINT_INVALID',
      `the checkpoint is of the log ${claim.origin}, not of ${identity.origin}`,
    )
  }
  const verifiers = followKeys(crypto, keyReceipts).map(({ logPublicKey }) => {
    return { name: identity.origin, publicKey: logPublicKey }
  })
  openNote(checkpoint, verifiers, crypto)
  const last = receipts.at(-1)
  if (last !== undefined && last.logIndex >= claim.size) {
    throw new KernelError(
      'EVIDENCE_INVALID',
      `receipt ${last.statement.seq} is not in the tree of ${claim.size} entries: narrow the range`,
    )
  }
  if (!equalBytes(await rootOfTiles(crypto, tiles, claim.size), claim.root)) {
    throw new KernelError('CHECKPOINT_INVALID', 'the checkpoint has another root than the log')
  }
  return claim
}

function followKeys(crypto: Crypto, keyReceipts: readonly Stored[]) {
  const ring = createKeyRing(crypto)
  for (const { entry, logIndex } of keyReceipts) {
    const problem = ring.follow(decodeEntry(entry), logIndex)
    if (problem === undefined) continue
    throw new KernelError('EVIDENCE_INVALID', `the key receipt at log index ${logIndex} ${problem}`)
  }
  return ring.keys
}

function tooLarge(why: string): KernelError {
  return new KernelError('TOO_LARGE', `an evidence pack ${why}: narrow the range with from and to`)
}
