import { isKernelError, KernelError, messageOf } from '../error.ts'
import { createCancel } from '../kernel/cancel.ts'
import type { Cancel } from '../ports/clock.ts'
import { sameScope, type Scope, scopeKey, systemScope } from '../trust/scope.ts'
import { coalesce } from './coalesce.ts'
import { pollDelay } from './delay.ts'
import { inTime } from './in-time.ts'
import { createLane } from './lane.ts'
import { askLimit, maxScopes, type ReconcilerOptions } from './options.ts'
import type { PolicyStatus } from './status.ts'
import { createWorker, type Lanes, type Worker } from './worker.ts'

/** Keeps every scope at what its source says is active, as far as that may be (design 3.2). */
export interface Reconciler {
  /**
   * Installs what was kept, then asks the source for every scope, again and again until `cancel`.
   * Resolves when every scope that is known at the start has been asked for once.
   */
  start(cancel: Cancel): Promise<void>
  /**
   * Asks the source now, for one scope or for all: a hint, which brings nothing with it. Resolves after
   * an attempt that began after the call; at once before the start. At most one runs and one waits for
   * each scope.
   */
  wake(scope?: Scope): Promise<void>
  /** Undefined when nothing is known of the scope. */
  status(scope: Scope): PolicyStatus | undefined
  /** By name, of every scope or of the first so many. */
  statuses(most?: number): readonly PolicyStatus[]
  /** How many scopes stand how: cheap, where statuses of thousands are not. */
  counts(): Readonly<Record<PolicyStatus['snapshot_status'], number>>
  /** Why it is not known which scopes there are; undefined while the newest listing is good. */
  listingFault(): KernelError | undefined
}

/** So many scopes are asked for, verified and compiled at one moment. */
const quickWidth = 64
const slowWidth = 8

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { kernel, source, clock, random, pollInterval } = options
  const lanes: Lanes = { quick: createLane(quickWidth), slow: createLane(slowWidth) }
  const workers = new Map<string, Worker>()
  /** Which of them are asked for. */
  const active = new Set<string>(options.scopes.map(scopeKey))
  const withdrawn = new Set<string>()
  const ended = createCancel()
  let names: readonly string[] | undefined
  let fault: KernelError | undefined = new KernelError('SOURCE_UNREACHABLE', 'not listed yet')
  let listings = { failures: 0 }
  const list = coalesce(listOnce)
  let isStarted = false
  // Known before they are asked for, so that whoever looks early sees that.
  for (const scope of options.scopes) workerOf(scope)

  return {
    async start(cancel) {
      cancel.addEventListener('abort', end)
      if (cancel.aborted) end()
      const kept = await keptScopes()
      await Promise.all(
        [...options.scopes, ...kept].map((scope) => lanes.quick(workerOf(scope).restore)),
      )
      if (ended.aborted) return
      isStarted = true
      void pollListing()
      await Promise.all(options.scopes.map((scope) => workerOf(scope).attempt()))
    },
    async wake(scope) {
      if (!isStarted || ended.aborted) return
      if (scope === undefined) {
        await Promise.all([list(), ...[...active].map((key) => workers.get(key)?.attempt())])
        return
      }
      if (!active.has(scopeKey(scope))) return list()
      await workers.get(scopeKey(scope))?.attempt()
    },
    status: (scope) => workers.get(scopeKey(scope))?.status(),
    statuses: (most = Infinity) =>
      sortedNames()
        .slice(0, most)
        .flatMap((key) => workers.get(key)?.status() ?? []),
    counts() {
      const counts = { active: 0, stale: 0, expired: 0, invalid: 0, withdrawn: 0, no_policy: 0 }
      for (const { scope } of workers.values()) counts[kernel.status(scope).status]++
      return counts
    },
    listingFault: () => fault,
  }

  function end(): void {
    ended.abort()
    for (const worker of workers.values()) worker.stop()
  }

  async function keptScopes(): Promise<readonly Scope[]> {
    try {
      const kept = await kernel.authority.kept()
      return kept.filter((scope) => !options.scopes.some((fixed) => sameScope(fixed, scope)))
    } catch (error) {
      options.warn?.(`kept policy cannot be listed: ${messageOf(error)}`)
      return []
    }
  }

  function workerOf(scope: Scope): Worker {
    const key = scopeKey(scope)
    let worker = workers.get(key)
    if (worker === undefined) {
      worker = createWorker(scope, options, lanes)
      workers.set(key, worker)
      names = undefined
    }
    return worker
  }

  function sortedNames(): readonly string[] {
    return (names ??= [...workers.keys()].sort())
  }

  /** Beside the scopes, never before them: a listing that hangs delays none. */
  async function pollListing(): Promise<void> {
    while (!ended.aborted) {
      await list()
      await clock.sleep(pollDelay(pollInterval, listings.failures, random), ended)
    }
  }

  async function listOnce(): Promise<void> {
    if (ended.aborted) return
    let listed: readonly Scope[]
    try {
      listed = checked(
        await inTime(clock, askLimit, 'the list of scopes', (late) => source.scopes(late)),
      )
    } catch (error) {
      // INVARIANT: only a complete, successful listing adds or withdraws a scope.
      const said = messageOf(error)
      if (fault?.message !== said) options.warn?.(`the scopes cannot be listed: ${said}`)
      fault = isKernelError(error) ? error : new KernelError('SOURCE_UNREACHABLE', said)
      listings = { failures: listings.failures + 1 }
      return
    }
    fault = undefined
    listings = { failures: 0 }
    await follow(new Map(listed.map((scope) => [scopeKey(scope), scope])))
  }

  /** Asks for what is new in the list, and withdraws what is not in it. */
  async function follow(listed: ReadonlyMap<string, Scope>): Promise<void> {
    if (ended.aborted) return
    const gone = [...workers].filter(([key]) => !listed.has(key) && !withdrawn.has(key))
    const added = [...listed].filter(([key]) => !active.has(key))
    for (const [key] of gone) {
      active.delete(key)
      withdrawn.add(key)
    }
    for (const [key] of added) {
      active.add(key)
      withdrawn.delete(key)
    }
    await Promise.all([
      ...gone.map(([key, worker]) => withdraw(key, worker)),
      ...added.map(([, scope]) => workerOf(scope).attempt()),
    ])
  }

  async function withdraw(key: string, worker: Worker): Promise<void> {
    await worker.withdraw()
    // A scope that never had policy leaves nothing behind, whatever a source may list.
    const isFixed = options.scopes.some((scope) => scopeKey(scope) === key)
    if (isFixed || worker.status().snapshot_status !== 'no_policy') return
    workers.delete(key)
    withdrawn.delete(key)
    names = undefined
  }
}

function checked(scopes: readonly Scope[]): readonly Scope[] {
  if (scopes.length > maxScopes) {
    throw new KernelError('SOURCE_TOO_LARGE', `a source lists at most ${maxScopes} scopes`)
  }
  if (scopes.some((scope) => sameScope(scope, systemScope))) {
    throw new KernelError('SCOPE_MISMATCH', 'the source lists helm/system, which is reserved')
  }
  return scopes
}
