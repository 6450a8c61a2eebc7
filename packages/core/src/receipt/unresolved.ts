import type { Sealed } from '../ports/receipt-store.ts'
import type { Check } from './findings.ts'
import type { Surface } from './statement.ts'

/** Surfaces on which the kernel itself sees how an allowed call ends, and says so in an outcome receipt. */
const resolving: readonly Surface[] = ['proxy', 'mcp']

/** So many are remembered; of more, the newest. */
const limit = 4096

/**
 * Allowed calls whose outcome is not in the log: under way, or cut off when the process ended. Nobody
 * knows then whether the call happened.
 */
export interface Unresolved {
  /** Takes the next receipt of the log. */
  apply(receipt: Pick<Sealed, 'receiptId' | 'statement'>): void
  /** Oldest first. */
  list(): readonly string[]
}

export function createUnresolved(from: readonly string[] = []): Unresolved {
  const open = new Set<string>(from)
  return {
    apply({ receiptId, statement }) {
      if (statement.kind === 'outcome') {
        open.delete(statement.links.decision)
        return
      }
      if (statement.kind !== 'decision' || statement.verdict !== 'ALLOW') return
      if (!resolving.includes(statement.surface)) return
      open.add(receiptId)
      const [oldest] = open
      if (open.size > limit && oldest !== undefined) open.delete(oldest)
    },
    list: () => [...open],
  }
}

/** So many are named; whoever wants the others lists the receipts. */
const named = 3

/** Passes whatever it finds: a process that ended during a call has not tampered with anything. */
export function checkOutcomes(open: readonly string[]): Check {
  const { length } = open
  const first = open.slice(0, named).join(', ')
  const detail =
    length === 0
      ? 'each allowed call of proxy and mcp has one'
      : `allowed calls without outcome, perhaps cut off: ${length}` +
        `${length < limit ? '' : ' or more'} (${first}${length > named ? ', …' : ''})`
  return { name: 'outcomes', status: 'pass', detail }
}
