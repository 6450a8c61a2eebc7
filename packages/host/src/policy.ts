import type {
  Cancel,
  Clock,
  Crypto,
  KernelError,
  KernelSigner,
  Random,
  Scope,
  TrustRoot,
} from '@helm-ai-kernel/core'
import {
  createReconciler,
  type PolicyAttempt,
  type Reconciler,
} from '@helm-ai-kernel/core/reconcile'
import type { Configuration } from './configuration/index.ts'
import type { DurableKernel } from './durable-kernel.ts'
import { type Log, sparing } from './log.ts'
import { createPolicyLog } from './policy-log.ts'
import type { Runtime } from './runtime.ts'
import { noSource } from './source/no-source.ts'
import { hostSources } from './source/sources.ts'
import { checkOwnKeys } from './trust.ts'
import { watchTrustRoot } from './trust-watch.ts'

export interface PolicyOptions {
  readonly configuration: Configuration
  readonly runtime: Runtime
  readonly durable: Pick<DurableKernel, 'kernel' | 'receipts'>
  /** The one in force at the start. */
  readonly trust: TrustRoot
  readonly signer: KernelSigner
  /** The runtime scope. */
  readonly scope: Scope
  readonly clock: Clock
  readonly random: Random
  readonly crypto: Crypto
  readonly log: Log
  readonly observe: (attempt: PolicyAttempt) => void
  /** Aborts when the server ends. */
  readonly ended: Cancel
}

/** Policy of a server: where it comes from, who may sign it, and how it stands. */
export interface Policy {
  readonly reconciler: Reconciler
  /** Asks for every scope once, and goes on from then. Resolves after the first attempts. */
  start(): Promise<void>
  /** Why the file of the trust root is not what is in force. */
  trustFault(): KernelError | undefined
}

/** Puts the source that the configuration names, the reconciler and the trust root together. */
export function createPolicy(options: PolicyOptions): Policy {
  const { configuration, runtime, durable, signer, scope, log, observe, ended } = options
  const { clock, random, crypto } = options
  const { kernel, receipts } = durable
  const { policySourceKind: sourceName, policyTrustRoot: path } = configuration
  let { trust } = options
  let watched: { fault(): KernelError | undefined } | undefined

  const sources = { ...hostSources, ...runtime.sources }
  const wake = (of?: Scope): void => void reconciler.wake(of)
  const source =
    sources[sourceName]?.({
      configuration,
      scope,
      trust: () => trust,
      crypto,
      clock,
      receipts,
      log,
      wake,
      ended,
    }) ?? noSource(scope)
  const policyLog = createPolicyLog(log)
  const reconciler = createReconciler({
    kernel,
    source,
    sourceName,
    scopes: (sourceName === 'controlplane' ? configuration.policyScopes : undefined) ?? [scope],
    receipts,
    clock,
    random,
    pollInterval: configuration.policyPollInterval,
    maxAge: configuration.policyLastKnownGoodMaxAge,
    onInvalidUpdate: configuration.policyOnInvalidUpdate,
    observe(attempt) {
      policyLog.attempt(attempt)
      observe(attempt)
    },
    restored: policyLog.restored,
    warn: sparing(log.warn, clock),
  })

  return {
    reconciler,
    async start() {
      if (path !== undefined) {
        const watch = { path, crypto, clock, log, apply, applied: trust.digest }
        watched = watchTrustRoot(watch, ended)
      }
      await reconciler.start(ended)
    },
    trustFault: () => watched?.fault(),
  }

  /** Revokes at once what the root does not vouch for, then asks for what it does. */
  async function apply(root: TrustRoot): Promise<void> {
    checkOwnKeys(root, signer)
    await kernel.authority.trust(root)
    trust = root
    wake()
  }
}
