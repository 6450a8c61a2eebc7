import {
  type Cancel,
  type Clock,
  type ErrorCode,
  isKernelError,
  type Kernel,
  KernelError,
  type PolicySource,
} from '@helm-ai-kernel/core'
import type { Configuration } from './configuration/index.ts'
import type { Log } from './log.ts'
import { waitAtMost } from './patience.ts'
import { isPolicyCode, remedyOf } from './source/remedy.ts'

/** Why the newest attempt installed nothing. */
export interface Failure {
  readonly code: ErrorCode
  readonly reason: string
  readonly fix: string
}

/** Keeps one scope at what its source says is active. */
export interface Reconciler {
  /** Attempts now, and then again and again until `cancel`; resolves after the first attempt. */
  start(cancel: Cancel): Promise<void>
  /** Undefined while the newest attempt was good, and before the first. */
  failure(): Failure | undefined
}

export interface ReconcilerOptions {
  readonly kernel: Kernel
  readonly source: PolicySource
  /** For the activation receipt and the log. */
  readonly sourceName: string
  readonly configuration: Configuration
  readonly clock: Clock
  readonly log: Log
}

/** How long a source may take to answer, ms (design 3.2, step 1). */
const patience = 10_000

/**
 * The reconciler of one scope, as small as it can be: head, load, install. A failure leaves what is
 * installed as it is; its age, or `HELM_POLICY_ON_INVALID_UPDATE=deny`, ends it.
 */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { kernel, source, sourceName, configuration, clock, log } = options
  const { policyPollInterval, policyLastKnownGoodMaxAge, policyOnInvalidUpdate } = configuration
  const { scope } = kernel
  let failure: Failure | undefined

  return {
    failure: () => failure,
    async start(cancel) {
      await attempt()
      void poll(cancel)
    },
  }

  async function poll(cancel: Cancel): Promise<void> {
    for (;;) {
      await clock.sleep(policyPollInterval, cancel)
      if (cancel.aborted) return
      await attempt()
    }
  }

  /** Never rejects: whatever goes wrong is a failure that is told. */
  async function attempt(): Promise<void> {
    try {
      await reconcile()
      if (failure !== undefined) log.info('policy source is good again', { source: sourceName })
      failure = undefined
    } catch (error) {
      const now = failureOf(error)
      if (now.code !== failure?.code || now.reason !== failure.reason) tell(now)
      failure = now
      // A source that cannot be reached says nothing about the policy: age alone ends that (3.2).
      const isRefused = isPolicyCode(now.code) && !now.code.startsWith('SOURCE_')
      if (isRefused && policyOnInvalidUpdate === 'deny') kernel.close(scope, 'invalid')
    }
  }

  async function reconcile(): Promise<void> {
    const head = await inTime(source.head(scope))
    const { bytes, signatures, bundleRef } = await inTime(source.load(scope, head))
    const { policyHash, policyEpoch } = head
    const installed = await kernel.install(bytes, signatures, {
      policyHash,
      ...(policyEpoch !== undefined && { policyEpoch }),
      source: sourceName,
      bundleRef,
      maxAge: policyLastKnownGoodMaxAge,
    })
    if (installed.status === 'no_change') return
    const { policy } = kernel.status()
    log.info(`policy ${installed.status}`, {
      policy_epoch: installed.policyEpoch,
      policy_hash: installed.policyHash,
      provenance: policy?.provenance,
      rules: policy?.ruleCount,
      source: sourceName,
    })
  }

  function tell({ code, reason, fix }: Failure): void {
    const kept = kernel.status().status === 'active'
    log.error(kept ? 'policy not updated, the installed one stays' : 'policy not installed', {
      code,
      reason,
      fix,
      source: sourceName,
    })
  }

  async function inTime<T>(work: Promise<T>): Promise<T> {
    const result = await waitAtMost(clock, patience, work)
    if (result !== 'late') return result
    throw new KernelError('SOURCE_TIMEOUT', `the policy source did not answer in ${patience} ms`)
  }
}

function failureOf(error: unknown): Failure {
  const code = isKernelError(error) ? error.code : 'INTERNAL'
  const reason = error instanceof Error ? error.message : String(error)
  return { code, reason, fix: remedyOf(code) }
}
