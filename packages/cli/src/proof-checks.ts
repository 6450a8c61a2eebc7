import { KernelError } from '@helm-ai-kernel/core'
import {
  type Cosigner,
  leafHash,
  openHead,
  openNote,
  parseProof,
  verifyInclusion,
} from '@helm-ai-kernel/core/log'
import { decodeEntry, type ReceiptId, receiptIdOf } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto as crypto } from '@helm-ai-kernel/host'
import { type CodedCheck, checkSteps } from './checks.ts'
import type { LogKeys } from './log-keys.ts'

/** What a proof file is held against. */
export interface Expected {
  readonly entry: Uint8Array
  /** What the entry must be the receipt of, when that is known. */
  readonly receiptId?: ReceiptId
  readonly keys: LogKeys
  /** Whether somebody gave the keys, or the log said them itself. */
  readonly pinned: boolean
  /** Who must have cosigned the checkpoint: all of them. */
  readonly witnesses: readonly Cosigner[]
}

/** Offline: the checks of a `.tlog-proof` file, in the order that each needs the one before. */
export function checkProof(file: Uint8Array, expected: Expected): readonly CodedCheck[] {
  const { witnesses, pinned } = expected
  const checks = checkSteps(
    ['entry', 'checkpoint', ...witnesses.map(witnessName), 'inclusion'],
    steps(file, expected),
  )
  const detail = pinned
    ? 'the keys were given'
    : 'no --log-key was given: the log says its own, and is believed'
  const keys: CodedCheck = { name: 'log_key', status: pinned ? 'pass' : 'not_applicable', detail }
  return [...checks, keys]
}

function* steps(
  file: Uint8Array,
  { entry, receiptId, keys, witnesses }: Expected,
): Generator<string, void> {
  decodeEntry(entry)
  const own = receiptIdOf(crypto.sha256(entry))
  if (receiptId !== undefined && own !== receiptId) {
    throw new KernelError('RECEIPT_MALFORMED', `the entry is that of ${own}`)
  }
  yield own

  const { index, hashes, checkpoint } = parseProof(file)
  const { size, root } = openHead(checkpoint, keys.origin, keys.verifiers, crypto).checkpoint
  yield `${keys.origin} signed a tree of ${size} entries`

  for (const witness of witnesses) {
    const [seen] = openNote(checkpoint, [witness], crypto).verified
    yield seen?.kind === 'cosigner' ? `cosigned at ${told(seen.time)}` : ''
  }

  const claim = { leafHash: leafHash(crypto, entry), index, size, root }
  if (!verifyInclusion(crypto, claim, hashes)) {
    throw new KernelError('PROOF_INVALID', `the proof does not show the entry as number ${index}`)
  }
  yield `it is entry ${index} of that tree`
}

/** As people read it; a far future that no date has is told in seconds. */
function told(seconds: number): string {
  return seconds < 253_402_300_800 ? new Date(seconds * 1000).toISOString() : `second ${seconds}`
}

function witnessName({ name }: Cosigner): string {
  return `witness ${name}`
}
