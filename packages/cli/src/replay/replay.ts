import {
  type Decision,
  isKernelError,
  type Keep,
  type KernelSigner,
  type KeyId,
  type ReasonCode,
  type ReceiptId,
  type ReceiptStore,
} from '@helm-ai-kernel/core'
import {
  decide,
  type EffectivePolicySnapshot,
  factsOf,
  parseRequest,
  type StoredArgs,
} from '@helm-ai-kernel/core/policy'
import { askedWith, type DecisionStatement, decisionsIn, type Range } from './recorded.ts'

/** What to replay, and on what. */
export interface ReplayInput {
  readonly receipts: Pick<ReceiptStore, 'find'>
  /** Where arguments are stored. */
  readonly keep: Pick<Keep, 'get'>
  readonly candidate: EffectivePolicySnapshot
  readonly range: Range
  /** At most so many decisions are looked at. */
  readonly limit: number
  /** Of the ledger's keys, to check stored arguments against receipts. */
  readonly signers: ReadonlyMap<KeyId, KernelSigner>
  /** Told how many decisions were looked at. */
  readonly progress: (decisions: number) => void
}

/** A recorded decision of which the candidate has another verdict. */
export interface Change {
  readonly receiptId: ReceiptId
  readonly recorded: DecisionStatement
  readonly candidate: Decision
}

/** How many there are, and the first of them. */
export interface Tally {
  count: number
  readonly first: ReceiptId[]
}

export interface Replay {
  changed: number
  unchanged: number
  /** The first of those that changed. */
  readonly changes: Change[]
  /** Of the replayed ones, those whose arguments no given seed could check. */
  unchecked: number
  /** Not replayed: arguments are not stored. */
  readonly absent: Tally
  /** Not replayed: what is stored is not what the receipt is about. */
  readonly altered: Tally
  /** Not replayed: something else than rules decided; by reason code. */
  readonly notByRules: Map<ReasonCode, number>
  /** Whether there are more decisions than the limit. */
  isCut: boolean
}

/** So many changes are kept to be shown; all are counted. */
export const maxChanges = 1000
const maxNamed = 10

const byRules: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'ALLOWED_BY_RULE',
  'DENIED_BY_RULE',
  'ESCALATED_BY_RULE',
  'NO_MATCHING_RULE',
  'CONDITION_ERROR',
])

/** Decides recorded decisions again, by the candidate. INVARIANT: each is in exactly one count. */
export async function replayDecisions(input: ReplayInput): Promise<Replay> {
  const { receipts, keep, candidate, range, limit, signers, progress } = input
  const replay: Replay = {
    changed: 0,
    unchanged: 0,
    changes: [],
    unchecked: 0,
    absent: { count: 0, first: [] },
    altered: { count: 0, first: [] },
    notByRules: new Map(),
    isCut: false,
  }
  let decisions = 0
  for await (const receipt of decisionsIn(receipts, range)) {
    if (decisions === limit) {
      replay.isCut = true
      break
    }
    progress(++decisions)
    const { receiptId, statement } = receipt
    if (!byRules.has(statement.reason_code)) {
      const before = replay.notByRules.get(statement.reason_code) ?? 0
      replay.notByRules.set(statement.reason_code, before + 1)
      continue
    }
    const asked = await askedWith(receipt, keep, signers)
    const decision = typeof asked === 'string' ? asked : decideAgain(candidate, statement, asked)
    if (typeof decision === 'string') {
      tally(replay[decision], receiptId)
      continue
    }
    if (typeof asked !== 'string' && !asked.checked) replay.unchecked++
    if (decision.verdict === statement.verdict) {
      replay.unchanged++
      continue
    }
    replay.changed++
    if (replay.changes.length < maxChanges) {
      replay.changes.push({ receiptId, recorded: statement, candidate: decision })
    }
  }
  return replay
}

/** At the time of the receipt, for the caller that it names. */
function decideAgain(
  candidate: EffectivePolicySnapshot,
  { principal, action, session_id, scope, auth, surface, time }: DecisionStatement,
  { args, context, resource, roles }: StoredArgs,
): Decision | 'altered' {
  try {
    const request = parseRequest({
      ...{ principal, action, resource, args, context },
      sessionId: session_id,
    })
    const caller = { ...scope, credential: auth.credential, roles, surface }
    return decide(candidate, factsOf(request, candidate.resourcesFrom, caller, Date.parse(time)))
  } catch (error) {
    // What a kernel would not have taken, it was not asked.
    if (isKernelError(error, 'REQUEST_MALFORMED')) return 'altered'
    throw error
  }
}

function tally(of: Tally, receiptId: ReceiptId): void {
  of.count++
  if (of.first.length < maxNamed) of.first.push(receiptId)
}
