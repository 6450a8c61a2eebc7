import type { Head } from '../bundle/head.ts'
import { maxBundleBytes } from '../bundle/verify.ts'
import { isKernelError, KernelError, messageOf } from '../error.ts'
import { type Cancelling, createCancel } from '../kernel/cancel.ts'
import type { InstallResult } from '../kernel/install.ts'
import { sameScope, type Scope, scopeKey } from '../trust/scope.ts'
import type { AttemptClass } from './attempt.ts'
import { coalesce } from './coalesce.ts'
import { pollDelay } from './delay.ts'
import { inTime } from './in-time.ts'
import type { Lane } from './lane.ts'
import { askLimit, loadLimit, type ReconcilerOptions } from './options.ts'
import { isPolicyCode, outcomeOf } from './outcome.ts'
import { createRejections } from './rejections.ts'
import { remedyOf } from './remedy.ts'
import { type Attempts, type PolicyStatus, statusOf } from './status.ts'

/** Keeps one scope at what the source says, by itself: no other scope is waited for. */
export interface Worker {
  readonly scope: Scope
  /** Installs what was kept. Never rejects. */
  restore(): Promise<void>
  /** Asks the source now, and polls from then on. Never rejects. */
  attempt(): Promise<void>
  /** Polls no more. */
  stop(): void
  /** The source has nothing for the scope any more. */
  withdraw(): Promise<void>
  status(): PolicyStatus
}

/** Where attempts run: who was slow the last time delays only others of the kind. */
export interface Lanes {
  readonly quick: Lane
  readonly slow: Lane
}

export function createWorker(scope: Scope, options: ReconcilerOptions, lanes: Lanes): Worker {
  const { kernel, source, sourceName, clock, random, pollInterval, maxAge, receipts } = options
  const { authority } = kernel
  const rejections = createRejections(scope, authority, receipts, clock)
  let attempts: Attempts = {
    ended: undefined,
    head: undefined,
    at: undefined,
    failures: 0,
    nextAt: undefined,
  }
  let wasSlow = false
  let state: 'asleep' | 'polling' | 'withdrawn' = 'asleep'
  let timer: Cancelling | undefined
  const run = coalesce(() => (wasSlow ? lanes.slow : lanes.quick)(attempt))

  return { scope, restore, attempt: begin, stop, withdraw, status }

  function begin(): Promise<void> {
    state = 'polling'
    return run()
  }

  function stop(): void {
    state = 'asleep'
    timer?.abort()
    attempts = { ...attempts, nextAt: undefined }
  }

  function status(): PolicyStatus {
    return statusOf(kernel.status(scope), sourceName, attempts)
  }

  async function restore(): Promise<void> {
    try {
      const restored = await authority.restore(scope, maxAge)
      if (restored !== undefined) options.restored?.(status())
    } catch (error) {
      options.warn?.(`the kept policy of ${scopeKey(scope)} is not used: ${messageOf(error)}`)
    }
  }

  async function withdraw(): Promise<void> {
    stop()
    state = 'withdrawn'
    await closeAs('withdrawn')
    // Again after what is on its way, which may install.
    await run()
  }

  async function attempt(): Promise<void> {
    if (state === 'asleep') return
    if (state === 'withdrawn') return confirmWithdrawal()
    attempts = { ...attempts, at: clock.now() }
    /** What is desired is told together with what became of it. */
    const asked: { head?: Head } = {}
    let kind: AttemptClass = 'good'
    try {
      const { status } = await bring(asked)
      const ended = { status: status === 'no_change' ? status : 'ok' } as const
      attempts = { ...attempts, ended, head: asked.head, failures: 0 }
      wasSlow = false
    } catch (error) {
      attempts = { ...attempts, head: asked.head }
      kind = await fail(error)
    }
    schedule()
    tell(kind)
  }

  async function confirmWithdrawal(): Promise<void> {
    if (kernel.status(scope).status === 'active') await closeAs('withdrawn')
    const code = 'SOURCE_EMPTY'
    const reason = `the source lists no policy for this scope: ${remedyOf(code)}`
    attempts = { ...attempts, ended: { status: 'source_error', code, reason }, head: undefined }
    tell('unreachable')
  }

  /** Steps 1 to 9 of design 3.2. */
  async function bring(asked: { head?: Head }): Promise<InstallResult> {
    const head = await ask(asked)
    try {
      return await take(head)
    } catch (error) {
      if (!isKernelError(error, 'HASH_MISMATCH')) throw error
      const now = await ask(asked)
      if (now.policyHash === head.policyHash) throw error
      // Delivered anew between the two questions: that is nobody's fault.
      return take(now)
    }
  }

  async function ask(asked: { head?: Head }): Promise<Head> {
    const head = await inTime(clock, askLimit, 'the head', (late) => source.head(scope, late))
    asked.head = head
    requireScope(head)
    return head
  }

  async function take(head: Head): Promise<InstallResult> {
    const { policyHash, policyEpoch, bundleRef, signatures } = head
    const given = {
      scope,
      policyHash,
      ...(policyEpoch !== undefined && { policyEpoch }),
      source: sourceName,
      bundleRef,
      maxAge,
    }
    const confirmed = await authority.confirm(head, given)
    if (confirmed !== undefined) return confirmed
    const bytes = await inTime(clock, loadLimit, 'the bundle', (late) =>
      source.load(scope, head, late),
    )
    if (bytes.length > maxBundleBytes) {
      throw new KernelError('SOURCE_TOO_LARGE', 'a bundle is at most 64 MiB')
    }
    return authority.install({ bytes, signatures, policyHash }, given)
  }

  /** Never rewritten to the scope that was asked for (step 2). */
  function requireScope(head: Head): void {
    if (sameScope(head.scope, scope)) return
    throw new KernelError(
      'SCOPE_MISMATCH',
      `the head is for ${scopeKey(head.scope)}, asked for was ${scopeKey(scope)}`,
    )
  }

  async function fail(error: unknown): Promise<AttemptClass> {
    const code = isKernelError(error) ? error.code : 'INTERNAL'
    if (code === 'INTERNAL') options.warn?.(`the policy source failed: ${messageOf(error)}`)
    const { status, class: kind } = outcomeOf(code)
    const said =
      code === 'INTERNAL' ? 'the attempt failed for a cause of its own' : messageOf(error)
    const reason = `${said}: ${remedyOf(code)}`
    attempts = {
      ...attempts,
      ended: { status, code, reason },
      failures: attempts.failures + 1,
    }
    wasSlow = code === 'SOURCE_TIMEOUT'
    if (kind !== 'unreachable' && isPolicyCode(code)) {
      if (options.onInvalidUpdate === 'deny') await closeAs('invalid')
      const { head } = attempts
      const desired = { desiredEpoch: head?.policyEpoch, desiredHash: head?.policyHash }
      await rejections
        .record({ reasonCode: code, ...desired, source: sourceName })
        .catch((fault: unknown) => options.warn?.(messageOf(fault)))
    }
    return kind
  }

  /** What is closed is closed also when the disk does not forget it. */
  async function closeAs(how: 'invalid' | 'withdrawn'): Promise<void> {
    await authority.close(scope, how).catch((fault: unknown) => options.warn?.(messageOf(fault)))
  }

  function schedule(): void {
    timer?.abort()
    if (state !== 'polling') return
    const own = createCancel()
    timer = own
    const delay = pollDelay(pollInterval, attempts.failures, random)
    attempts = { ...attempts, nextAt: clock.now() + delay }
    void clock.sleep(delay, own).then(() => {
      if (!own.aborted) void run()
    })
  }

  function tell(kind: AttemptClass): void {
    const now = status()
    try {
      source.settled(scope, now)
    } catch (error) {
      options.warn?.(`the policy source failed when it was told the outcome: ${messageOf(error)}`)
    }
    options.observe?.({ class: kind, status: now })
  }
}
