import { encodeHex } from '../bytes/hex.ts'
import { nobleCrypto } from '../crypto/noble.ts'
import { KernelError } from '../error.ts'
import { type Decision, deny } from '../policy/decision.ts'
import { parseRequest, type Request, type RequestInput } from '../policy/request.ts'
import type { Stored } from '../ports/receipt-store.ts'
import { type DecisionCode, reasonCodes } from '../reason.ts'
import { type Scope, scopeKey, scopeOf } from '../trust/scope.ts'
import { createArgsKeeper } from './args-keeper.ts'
import { type Authority, createAuthority } from './authority.ts'
import { type Caller, embeddedCaller } from './caller.ts'
import { createCells } from './cells.ts'
import { deliverSliced, type InstallOptions, type SignatureInput } from './delivery.ts'
import type { Moment } from './gate.ts'
import { createGuard, type Guard } from './guard.ts'
import type { InstallResult } from './install.ts'
import type { KernelOptions } from './options.ts'
import { createRecorder } from './recorder.ts'
import { decisionBody, isBehind, rule } from './ruling.ts'
import { type PolicyStanding, standingOf } from './standing.ts'
import { createSwaps } from './swaps.ts'
import { createTurns } from './turns.ts'

/** A decision and the proof of it. */
export interface Answer {
  readonly decision: Decision
  /** Durable. Absent only when the ledger could not record: then the verdict is DENY. */
  readonly receipt: Stored | undefined
  /** 32 hex: opens `args_hash` and `context_hash` to whoever has the arguments. */
  readonly argsSalt: string | undefined
}

export interface Kernel {
  /** The scope meant when a call names none. */
  readonly scope: Scope
  /**
   * Verifies, compiles, tests and activates a bundle. Throws a KernelError with the code of the step
   * that refused; what was installed before then stays.
   */
  install(
    bytes: Uint8Array,
    signatures?: SignatureInput,
    options?: InstallOptions,
  ): Promise<InstallResult>
  /**
   * Decides, and resolves when the receipt is durable. Throws `REQUEST_MALFORMED`, or `KEY_CHANGED`
   * when the ledger is of another key.
   */
  decide(request: RequestInput, caller?: Caller): Promise<Answer>
  /** Decides without a receipt: for tests and simulation, never as permission. */
  evaluate(request: RequestInput, caller?: Caller): Decision
  /**
   * Wraps a function of one plain object, which is `args`. It runs only on ALLOW, with a frozen copy
   * of its argument, and an outcome receipt follows. Throws `Refused` otherwise.
   */
  readonly guard: Guard
  status(scope?: Scope): PolicyStanding
  /** For reconcilers and operators: who decides which policy is in force. */
  readonly authority: Authority
  /** Opens the ledger for this kernel's key; `decide` and `install` do it by themselves. */
  begin(): Promise<void>
}

/** How often a decision is made again because newer policy was activated meanwhile. */
const attempts = 8
/** How long a caller waits for the policy epoch it asked for, in ms. */
const epochWait = 2000

/**
 * Makes a kernel.
 *
 * @example
 * ```ts
 * const kernel = createKernel({ trust, store: memoryStore(), signer: signer(seed), clock, random })
 * await kernel.install(bundleBytes, signature)
 * const { decision } = await kernel.decide({ principal: 'agent:ci', action: 'db.drop' })
 * ```
 */
export function createKernel(options: KernelOptions): Kernel {
  const { clock, random, signer } = options
  const crypto = options.crypto ?? nobleCrypto
  const scope = options.scope ?? scopeOf('default', 'default')
  const embedded = embeddedCaller(scope)
  const recorder = createRecorder(options, crypto)
  const swaps = createSwaps(clock)
  const turns = createTurns(clock)
  const cells = createCells()
  const keepArgs = createArgsKeeper(options)
  const authority = createAuthority(options, crypto, recorder, cells, swaps)

  return Object.freeze({
    scope,
    begin: () => recorder.begin(),
    async install(bytes, signatures, given = {}) {
      const bundle = turns(deliverSliced(bytes, signatures, given))
      return authority.install(bundle, { scope, ...given })
    },
    decide,
    evaluate: (input, caller = embedded) =>
      rule(parseRequest(input), caller, cells.read(caller.scope), moment()).decision,
    guard: createGuard(decide, recorder, options, crypto),
    status: (of = scope) => standingOf(of, cells.read(of), moment()),
    authority,
  } satisfies Kernel)

  async function decide(input: RequestInput, caller: Caller = embedded): Promise<Answer> {
    const request = parseRequest(input)
    if (request.minPolicyEpoch !== undefined) {
      await reachEpoch(request.minPolicyEpoch, caller.scope)
    }
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const answer = await decideOnce(request, caller)
        if (answer !== undefined) return answer
        await swaps.settled(scopeKey(caller.scope))
      }
      throw new KernelError('LEDGER_UNAVAILABLE', 'policy moved on faster than the decision')
    } catch (error) {
      if (!isLedgerError(error)) throw error
      // INVARIANT: no receipt, no release.
      options.warn?.(error.message)
      const decision = deny(error.code, 'the decision could not be recorded')
      return Object.freeze({ decision, receipt: undefined, argsSalt: undefined })
    }
  }

  /** Undefined when the log meanwhile holds newer policy than the one that decided. */
  async function decideOnce(request: Request, caller: Caller): Promise<Answer | undefined> {
    await recorder.begin()
    const ruling = rule(request, caller, cells.read(caller.scope), moment())
    const requestId = random.bytes(16)
    const salt = signer.salt(requestId)
    const body = decisionBody(ruling, requestId, salt, crypto)
    const receipt = await recorder.record({ scope: caller.scope, body }, (state) =>
      isBehind(body, state) ? 'POLICY_BEHIND' : undefined,
    )
    if ('refused' in receipt) return undefined
    await keepArgs(receipt, request, caller)
    return Object.freeze({ decision: ruling.decision, receipt, argsSalt: encodeHex(salt) })
  }

  async function reachEpoch(epoch: number, of: Scope): Promise<void> {
    await swaps.until(epochWait, () => {
      const standing = cells.read(of)
      const installed = standing.status === 'no_policy' ? 0 : standing.snapshot.policyEpoch
      // What no install could bring (EPOCH_JUMP) is not waited for.
      return installed >= epoch || epoch - installed > 2 ** 32
    })
  }

  function moment(): Moment {
    return { wall: recorder.now(), monotonic: clock.monotonic() }
  }
}

const ledgerCodes: ReadonlySet<string> = new Set(
  reasonCodes.decision.filter((code) => code.startsWith('LEDGER_')),
)

function isLedgerError(error: unknown): error is KernelError & { readonly code: DecisionCode } {
  return error instanceof KernelError && ledgerCodes.has(error.code)
}
