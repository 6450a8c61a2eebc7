import process from 'node:process'
import { type Kernel, scopeKey, scopeOf, version } from '@helm-ai-kernel/core'
import {
  type AppOptions,
  createApp,
  createHealthApp,
  createInternalApp,
  createMetricsApp,
  type Readiness,
} from '@helm-ai-kernel/http'
import { loadCredentials } from './access.ts'
import { hostClock } from './clock.ts'
import type { Configuration } from './configuration/index.ts'
import { watchDiskSpace } from './disk-space.ts'
import { createDurableKernel } from './durable-kernel.ts'
import { keptBundles } from './kept-bundles.ts'
import { keysOf } from './ledger-keys.ts'
import { bindAll, isLoopback, type Listening } from './listening.ts'
import type { Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import { nodeCrypto } from './node-crypto.ts'
import { waitAtMost } from './patience.ts'
import { createPolicy } from './policy.ts'
import { hostRandom } from './random.ts'
import { readinessOf } from './readiness.ts'
import { watchReadiness } from './readiness-watch.ts'
import { logRequests } from './request-log.ts'
import type { Runtime } from './runtime.ts'
import { loadSigningKey } from './signing-key.ts'
import { checkOwnKeys, loadTrust, takesUnsigned } from './trust.ts'
import { wholeLedger } from './whole-ledger.ts'

/** A server that answers. */
export interface Running {
  readonly addresses: Listening['addresses']
  readonly kernel: Kernel
  /** Resolves when the first policy is installed, or was waited for in vain. */
  readonly begun: Promise<void>
  readonly readiness: () => Readiness
  /**
   * Is not ready at once, serves for `grace` ms more, finishes what is in flight and publishes the
   * last checkpoint. Takes at most 18 s beside `grace`.
   */
  close(grace: number): Promise<void>
}

const maxBodyBytes = 1024 * 1024
/** How long the last answers and the last checkpoint may take, in ms. */
const lastAnswers = 15_000
const lastCheckpoint = 3_000

/**
 * Brings a kernel up (design 5.6): listeners, boot line, ledger, first policy. What an operator must
 * correct throws a KernelError and leaves nothing running. A damaged ledger or missing policy does
 * not: the server stays up, denies, and says in `/readyz` why.
 */
export async function serve(
  configuration: Configuration,
  runtime: Runtime,
  log: Log,
): Promise<Running> {
  const { production, policySourceKind } = configuration
  const clock = hostClock
  const crypto = nodeCrypto
  const scope = scopeOf(configuration.runtimeTenantId, configuration.runtimeWorkspaceId)
  const key = await loadSigningKey(configuration, crypto, hostRandom)
  const trust = await loadTrust(configuration, crypto)
  checkOwnKeys(trust, key.signer)
  const credentials = await loadCredentials(configuration, scope, crypto)
  const durable = createDurableKernel(configuration, key, trust, scope, log)
  const { kernel } = durable
  const { receipts, log: published } = wholeLedger(durable)

  const draining = new AbortController()
  const ended = new AbortController()
  const policy = createPolicy({
    configuration,
    runtime,
    durable,
    trust,
    signer: key.signer,
    scope,
    clock,
    random: hostRandom,
    crypto,
    log,
    observe: (attempt) => metrics.observePolicy(attempt),
    ended: ended.signal,
  })
  const { reconciler } = policy
  const disk = watchDiskSpace(configuration.dataDir, clock, log, ended.signal)
  const readiness = (): Readiness =>
    readinessOf({
      ...durable,
      policy: reconciler,
      readyScopes: configuration.readyScopes,
      production,
      trustFault: policy.trustFault,
      diskWarning: disk.warning,
      draining: () => draining.signal.aborted,
    })
  const build = { version, runtime: runtime.name }
  const metrics = createMetrics({
    build,
    clock,
    policy: reconciler,
    readiness,
    unresolved: durable.unresolved,
    diskAvailable: disk.available,
  })
  const logRequest = logRequests(log)

  const options: AppOptions = {
    kernel,
    receipts,
    crypto,
    clock,
    random: hostRandom,
    credentials,
    policy: reconciler,
    wakePath: configuration.policyWakePath,
    internalApart: configuration.internalPort !== undefined,
    log: published,
    watch: durable.watch,
    ended: ended.signal,
    evidence: { policies: keptBundles(durable.keep), salts: key.signer },
    keys: () => keysOf(receipts, crypto),
    readiness,
    limits: {
      maxInFlight: configuration.maxInFlight,
      maxBodyBytes,
      ratePerSecond: Number.isFinite(configuration.rateLimit) ? configuration.rateLimit : undefined,
    },
    bind: {
      loopback: isLoopback(configuration.bindAddr),
      corsOrigins: configuration.corsOrigins ?? [],
    },
    logPublic: configuration.logPublic,
    build,
    report(event) {
      logRequest(event)
      if (configuration.metricsEnabled) metrics.observeRequest(event)
    },
  }
  const apps = {
    api: createApp(options),
    health: createHealthApp(options),
    ...(options.internalApart === true && { internal: createInternalApp(options) }),
    ...(configuration.metricsEnabled && {
      metrics: createMetricsApp({ ...options, metrics: metrics.render }),
    }),
  }
  const listening = await bindAll(runtime, apps, configuration).catch((error: unknown) => {
    ended.abort()
    throw error
  })
  const { addresses } = listening
  log.info(`helm-ai-kernel ${version} is listening`, {
    ...addresses,
    data_dir: configuration.dataDir,
    scope: scopeKey(scope),
    source: policySourceKind,
    policy_path: configuration.policyPath,
    policy_url: configuration.policyControlplaneUrl,
    provenance: takesUnsigned(configuration, trust) ? 'unsigned' : 'signed',
    policy_keys: trust.keys.map(({ keyId }) => keyId),
    signing_key: key.signer.keyId,
    signing_key_from: key.from,
    production,
    runtime: runtime.name,
    pid: process.pid,
  })
  for (const warning of key.warnings) log.warn(warning)
  if (!credentials.configured) {
    log.warn('no API key is configured, so nobody gets in: set HELM_ADMIN_API_KEY')
  }
  try {
    await durable.open()
  } catch (error) {
    ended.abort()
    listening.abort()
    throw error
  }

  const begun = begin()
  return {
    addresses,
    kernel,
    begun,
    readiness,
    async close(grace) {
      draining.abort()
      log.info('draining', { serving_on_for_ms: grace })
      await clock.sleep(grace)
      ended.abort()
      await waitAtMost(clock, lastAnswers, listening.close())
      listening.abort()
      await waitAtMost(clock, lastCheckpoint, durable.close())
      log.info('stopped')
    },
  }

  async function begin(): Promise<void> {
    const { policyInitialReconcileTimeout: patience } = configuration
    if ((await waitAtMost(clock, patience, policy.start())) === 'late') {
      log.warn('the first policy is late; the server denies until it comes', {
        waited_ms: patience,
      })
    }
    void watchReadiness(readiness, log, clock, draining.signal)
  }
}
