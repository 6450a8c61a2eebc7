import { equalBytes } from '../bytes/equal.ts'
import { isKernelError, KernelError } from '../error.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { verifyInclusion } from '../log/proof.ts'
import { parseProof } from '../log/tlog-proof.ts'
import { leafHash } from '../log/tree.ts'
import type { Crypto } from '../ports/crypto.ts'
import { type DecodedEntry, decodeEntry, type ReceiptId, receiptIdOf } from '../receipt/entry.ts'
import type { Findings } from '../receipt/findings.ts'
import type { Pause } from './pause.ts'
import * as member from './member.ts'
import { memberOf, type OpenedPack } from './open-pack.ts'

/** A receipt of the pack and where its proof puts it in the log. */
export interface PackEntry extends DecodedEntry {
  readonly name: string
  readonly logIndex: number
  readonly receiptId: ReceiptId
  /** Whether it is a `key` receipt of the ledger, and none of the scope. */
  readonly isKey: boolean
}

/**
 * All entries of the pack in the order of the log. One that is not in its one encoding fails `receipts`;
 * one that is not proved to be in the tree of `checkpoint` fails `inclusion`.
 */
export async function readEntries(
  { facts, members, keyIndices }: OpenedPack,
  checkpoint: Checkpoint | undefined,
  crypto: Crypto,
  findings: Findings,
  pause: Pause,
): Promise<readonly PackEntry[]> {
  const entries: PackEntry[] = []
  for (const index of keyIndices) {
    read(member.keyName(index), member.keyProofName(index), index)
    await pause()
  }
  for (let seq = facts.from; seq <= facts.to; seq++) {
    read(member.receiptName(seq), member.receiptProofName(seq))
    await pause()
  }
  return entries.sort((a, b) => a.logIndex - b.logIndex)

  /** `index` is the log index that the member's name says. */
  function read(name: string, proofName: string, index?: number): void {
    const entry = attempt('receipts', name, () => memberOf(members, name))
    if (entry === undefined) return
    const decoded = attempt('receipts', name, () => decodeEntry(entry))
    const logIndex = attempt('inclusion', proofName, () => prove(entry, proofName, index))
    if (decoded === undefined || logIndex === undefined) return
    const receiptId = receiptIdOf(crypto.sha256(entry))
    entries.push({ ...decoded, name, logIndex, receiptId, isKey: index !== undefined })
  }

  /** The proved log index. */
  function prove(entry: Uint8Array, proofName: string, expected: number | undefined): number {
    const { index, hashes, ...proof } = parseProof(memberOf(members, proofName))
    const fail = (why: string) => new KernelError('PROOF_INVALID', why)
    if (proof.extra !== undefined) throw fail('has an extra line, which proves nothing')
    if (!equalBytes(proof.checkpoint, memberOf(members, member.checkpointName))) {
      throw fail(`has another checkpoint than ${member.checkpointName}`)
    }
    if (expected !== undefined && index !== expected) throw fail(`is of log index ${index}`)
    if (checkpoint === undefined) return index
    const claim = { leafHash: leafHash(crypto, entry), index, ...checkpoint }
    if (!verifyInclusion(crypto, claim, hashes)) {
      throw fail(`does not lead from the entry to the root of ${checkpoint.size} entries`)
    }
    return index
  }

  function attempt<T>(check: string, name: string, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (!isKernelError(error)) throw error
      findings.fail(check, `${name}: ${error.message}`)
      return undefined
    }
  }
}
