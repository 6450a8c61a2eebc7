import { equalBytes } from '../bytes/equal.ts'
import { isKernelError } from '../error.ts'
import { type Checkpoint, claimedCheckpoint, openCheckpoint } from '../log/checkpoint.ts'
import type { Check } from '../receipt/findings.ts'
import type { HeldCheckpoint } from '../receipt/held-checkpoint.ts'
import type { PackFacts } from './manifest.ts'
import type { PackTrust } from './pack-trust.ts'

/** What the pack's checkpoint claims; undefined when it is none. */
export function readClaim(note: Uint8Array): Checkpoint | undefined {
  try {
    return claimedCheckpoint(note)
  } catch (error) {
    if (isKernelError(error)) return undefined
    throw error
  }
}

/**
 * The check `checkpoint`: whether one of these log keys signed the pack's. INVARIANT: without a trusted
 * log key it fails, since then nothing proves that there is such a tree.
 */
export function checkSigned(
  note: Uint8Array,
  { identity, treeSize }: PackFacts,
  { crypto, origin: expected }: Pick<PackTrust, 'crypto' | 'origin'>,
  logKeys: readonly Uint8Array[],
): Check {
  const name = 'checkpoint'
  const fail = (detail: string): Check => ({ name, status: 'fail', detail })
  if (logKeys.length === 0) {
    return fail('no trusted receipt key says which log key is the right one: give the log key')
  }
  const { origin } = identity
  if (expected !== undefined && origin !== expected) {
    return fail(`is of the log ${origin}, not of ${expected}`)
  }
  let problem = ''
  for (const publicKey of logKeys) {
    try {
      const { size } = openCheckpoint(note, { origin, publicKey }, crypto)
      return size === treeSize
        ? { name, status: 'pass', detail: `${size} entries of ${origin}, signed by its log key` }
        : fail(`is of ${size} entries, the manifest says ${treeSize}`)
    } catch (error) {
      if (!isKernelError(error)) throw error
      problem = error.message
    }
  }
  return fail(problem)
}

/**
 * The check `held_checkpoint`: whether the pack's tree is exactly that of each checkpoint that somebody
 * holds. Another size would need a consistency proof, which a pack has not, so it fails.
 */
export function checkHeld(claim: Checkpoint | undefined, held: readonly HeldCheckpoint[]): Check {
  const name = 'held_checkpoint'
  for (const { name: file, note } of held) {
    const own = readClaim(note)
    const problem =
      own === undefined
        ? 'is no checkpoint'
        : own.origin !== claim?.origin
          ? `is of the log ${own.origin}`
          : own.size !== claim.size
            ? `is of ${own.size} entries, the pack of ${claim.size}: export it again at this checkpoint`
            : equalBytes(own.root, claim.root)
              ? undefined
              : `has another root at ${own.size} entries: one of them is not what it was`
    if (problem !== undefined) return { name, status: 'fail', detail: `${file}: ${problem}` }
  }
  return held.length === 0
    ? { name, status: 'not_applicable', detail: 'no checkpoint was given' }
    : { name, status: 'pass', detail: 'the tree is that of the given checkpoint' }
}
