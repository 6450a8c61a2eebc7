import { type Crypto, type Disk, encodeHex, type LedgerIdentity } from '@helm-ai-kernel/core'
import { createRange, tileWidth } from '@helm-ai-kernel/core/log'
import type { Audited, Check } from '@helm-ai-kernel/core/receipt'
import { createFold } from './fold.ts'
import { digestFile, positionsPath } from './position.ts'
import { createPositions } from './positions.ts'
import { isSameState, type KeptState, readState, statePath } from './state-file.ts'

/** Checks of the files that are made of the log and could be made again. */
export interface DerivedChecks {
  /** Takes the next entry of the log, and its leaf hash; undefined when it could not be read. */
  add(receipt: Audited | undefined, leaf?: Uint8Array): void
  finish(): Promise<readonly Check[]>
}

/** Holds the kept state, and the positions that it vouches for, against the log as it is read. */
export async function checkDerived(
  disk: Disk,
  crypto: Crypto,
  identity: LedgerIdentity,
): Promise<DerivedChecks> {
  const found = await readState(disk, crypto, identity)
  const kept = typeof found === 'object' ? found : undefined
  let problem = typeof found === 'string' ? found : undefined
  const size = kept?.fields.size ?? 0
  const fold = createFold(identity)
  const range = createRange(crypto)
  const positions = createPositions({ disk, crypto, kept: undefined })

  function stateProblem(own: KeptState): string | undefined {
    if (range.size < size) return `is of ${size} entries, the log has ${range.size}`
    const edge = { size, hashes: range.hashes() }
    const said = { ...fold.snapshot(positions.digest()), edge }
    return isSameState(crypto, own, said) ? undefined : `is not what the first ${size} entries say`
  }

  return {
    add(receipt, leaf) {
      if (problem !== undefined || range.size === size) return
      if (receipt === undefined || leaf === undefined) {
        // The audit tells which entry it is.
        problem = 'is over entries that cannot be read'
        return
      }
      fold.apply(receipt)
      positions.add(receipt)
      range.append(leaf)
      if (range.size % tileWidth === 0) positions.forget()
    },
    async finish() {
      if (kept === undefined && problem === undefined) {
        return [{ name: 'state', status: 'not_applicable', detail: `there is no ${statePath}` }]
      }
      if (kept !== undefined) problem ??= stateProblem(kept)
      if (kept === undefined || problem !== undefined) {
        return [{ name: 'state', status: 'fail', detail: `${statePath} ${problem}` }]
      }
      const digest = await digestFile(disk, crypto, size)
      const isGood = digest !== undefined && encodeHex(digest) === kept.positions
      const are = isGood ? 'are those of' : 'are not those of'
      return [
        { name: 'state', status: 'pass', detail: `is what the first ${size} entries say` },
        {
          name: 'positions',
          status: isGood ? 'pass' : 'fail',
          detail: `${positionsPath}: ${are} the first ${size} entries`,
        },
      ]
    },
  }
}
