import { decodeHex } from '../bytes/hex.ts'
import type { Json } from '../bytes/json.ts'
import { toJson } from '../bytes/to-json.ts'
import type { Decision } from '../policy/decision.ts'
import { parseRequest, type RequestInput } from '../policy/request.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Stored } from '../ports/receipt-store.ts'
import { saltedHash } from '../receipt/salted-hash.ts'
import { scopeOfStatement } from '../receipt/state.ts'
import type { OutcomeBody } from '../receipt/statement.ts'
import type { Answer } from './kernel.ts'
import type { KernelOptions } from './options.ts'
import type { Recorder } from './recorder.ts'

/** Thrown by a guarded function when the kernel does not allow the call; nothing was run. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly decision: Decision
  /** Absent when the ledger could not record the refusal. */
  readonly receipt: Stored | undefined

  constructor({ decision, receipt }: Answer) {
    super(`${decision.verdict} ${decision.reasonCode}: ${decision.reason}`)
    this.decision = decision
    this.receipt = receipt
  }
}

/** What a guarded function always asks for; its argument is `args`. */
export type GuardedCall = Omit<RequestInput, 'args'>

/** Wraps a function of one plain object so that it runs only on ALLOW; an outcome receipt follows. */
export type Guard = <A extends object, R>(
  call: GuardedCall,
  fn: (args: A) => R | Promise<R>,
) => (args: A) => Promise<R>

export function createGuard(
  decide: (request: RequestInput) => Promise<Answer>,
  recorder: Recorder,
  { signer, warn }: KernelOptions,
  crypto: Crypto,
): Guard {
  return (call, fn) =>
    async (args): Promise<Awaited<ReturnType<typeof fn>>> => {
      // What runs is what was decided: a frozen copy, which nobody can change in between.
      const request = parseRequest({ ...call, args })
      const answer = await decide(request)
      if (answer.decision.verdict !== 'ALLOW' || answer.receipt === undefined) {
        throw new Refused(answer)
      }
      try {
        const output = await fn(request.args as typeof args)
        await record(answer.receipt, 'ok', jsonOf(output))
        return output
      } catch (error) {
        await record(answer.receipt, 'error', undefined)
        throw error
      }
    }

  async function record(
    { statement, receiptId }: Stored,
    status: OutcomeBody['status'],
    output: Json | undefined,
  ): Promise<void> {
    const requestId = statement.kind === 'decision' ? statement.request_id : ''
    const salt = signer.salt(decodeHex(requestId, 16, 'request_id'))
    const body: OutcomeBody = {
      kind: 'outcome',
      status,
      output_hash: output === undefined ? null : saltedHash(crypto, 'output', salt, output),
      links: { decision: receiptId },
    }
    try {
      await recorder.record({ scope: scopeOfStatement(statement), body })
    } catch (error) {
      // The call has happened: its result must not be lost with the receipt. An ALLOW without an
      // outcome is what an auditor looks for.
      warn?.(`no outcome receipt for ${receiptId}: ${String(error)}`)
    }
  }
}

function jsonOf(value: unknown): Json | undefined {
  try {
    return toJson(value, 'output')
  } catch {
    return undefined
  }
}
