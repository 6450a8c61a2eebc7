import { type Clock, reasonCodes } from '@helm-ai-kernel/core'
import type { PolicyAttempt, Reconciler } from '@helm-ai-kernel/core/reconcile'
import type { Build, Exposition, HttpEvent, Readiness } from '@helm-ai-kernel/http'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { scopeGauges } from './metrics/scope-gauges.ts'

/** What the kernel counts, and tells of itself when it is scraped. */
export interface Metrics {
  /** One attempt to reconcile a scope. */
  observePolicy(attempt: PolicyAttempt): void
  /** One answer over HTTP. */
  observeRequest(event: HttpEvent): void
  render(): Promise<Exposition>
}

export interface MetricsInput {
  /** Bytes that may still be written to the data directory; undefined where nobody knows. */
  readonly diskAvailable?: () => number | undefined
  readonly build: Build
  readonly clock: Pick<Clock, 'now'>
  /** Read at each scrape. */
  readonly policy: Pick<Reconciler, 'statuses' | 'counts'>
  readonly readiness: () => Readiness
  /** Calls that an earlier process may have ended during, as `Ledger.unresolved` tells. */
  readonly unresolved?: () => readonly string[] | Promise<readonly string[]>
}

/** More scopes are counted by their status, and have no series of their own. */
const maxScopes = 1000

const durationBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15,
]

/** A method is whatever the client wrote; these are counted by name. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])

/**
 * INVARIANT: the number of series is bounded. Labels are codes, patterns of routes and names from the
 * tables here; scopes are at most `maxScopes`.
 */
export function createMetrics(input: MetricsInput): Metrics {
  const { build, clock, policy, readiness, unresolved, diskAvailable } = input
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers })
  const counter = (name: string, help: string, labelNames: readonly string[]): Counter =>
    new Counter({ name, help, labelNames, registers })

  gauge('helm_build_info', 'Always 1; the labels say which build this is.', [
    'version',
    'runtime',
  ]).set({ version: build.version, runtime: build['runtime'] ?? '' }, 1)
  gauge('process_start_time_seconds', 'When the kernel was started, as Unix time.').set(
    clock.now() / 1000,
  )
  const ready = gauge('helm_ready', 'Whether the kernel may be sent requests: 1, or 0.')
  const reasons = gauge('helm_not_ready_reason', 'Always 1, for each reason not to be ready.', [
    'check',
    'code',
  ])
  const scopes = gauge('helm_policy_scopes', 'Scopes, by the status of their policy.', [
    'snapshot_status',
  ])
  const perScope = Object.entries(scopeGauges).map(([name, { help, valueOf }]) => ({
    series: gauge(name, help, ['tenant_id', 'workspace_id']),
    valueOf,
  }))
  const cut = gauge(
    'helm_calls_without_outcome',
    'Allowed calls that were under way when an earlier process ended, and have no outcome receipt.',
  )
  const room = gauge(
    'helm_data_dir_available_bytes',
    'Bytes that the kernel may still write to the disk of its data directory.',
  )
  const reconciled = counter(
    'helm_policy_reconcile_total',
    'Attempts to reconcile policy, by how they ended; without a reason code they ended well.',
    ['status', 'reason_code'],
  )
  const hostile = counter(
    'helm_policy_hostile_total',
    'Attempts in which the source sent what no honest source sends.',
    ['reason_code'],
  )
  // A series that begins at 1 shows no increase, so each begins at 0.
  for (const code of reasonCodes.policy) hostile.inc({ reason_code: code }, 0)
  const decisions = counter('helm_decisions_total', 'Decisions that were asked for over HTTP.', [
    'verdict',
    'reason_code',
  ])
  const requests = counter('helm_http_requests_total', 'Answers over HTTP.', [
    'route',
    'method',
    'status',
  ])
  const durations = new Histogram({
    name: 'helm_http_request_duration_seconds',
    help: 'Time from a request to its answer.',
    labelNames: ['route'],
    buckets: durationBuckets,
    registers,
  })

  return {
    observePolicy({ class: kind, status: { reconcile_status: status, reason_code: code = '' } }) {
      reconciled.inc({ status, reason_code: code })
      if (kind === 'hostile') hostile.inc({ reason_code: code })
    },
    observeRequest({ route, method, status, verdict, code = '', ms }) {
      requests.inc({ route, method: methods.has(method) ? method : 'other', status })
      durations.observe({ route }, ms / 1000)
      if (verdict !== undefined) decisions.inc({ verdict, reason_code: code })
    },
    async render() {
      tellReadiness()
      tellScopes()
      tellDisk()
      await tellUnresolved()
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }

  function tellReadiness(): void {
    const now = readiness()
    ready.set(now.ready ? 1 : 0)
    reasons.reset()
    for (const { check, code } of now.reasons) reasons.set({ check, code }, 1)
  }

  function tellDisk(): void {
    const available = diskAvailable?.()
    room.remove()
    if (available !== undefined) room.set(available)
  }

  /** Without a series while nobody can tell, rather than with a number that says something else. */
  async function tellUnresolved(): Promise<void> {
    cut.remove()
    try {
      const open = await unresolved?.()
      if (open !== undefined) cut.set(open.length)
    } catch {
      // The ledger is away, which readiness tells.
    }
  }

  function tellScopes(): void {
    for (const [status, count] of Object.entries(policy.counts())) {
      scopes.set({ snapshot_status: status }, count)
    }
    const statuses = policy.statuses(maxScopes)
    for (const { series, valueOf } of perScope) {
      series.reset()
      for (const status of statuses) {
        const { tenant_id, workspace_id } = status
        const value = valueOf(status)
        if (value !== undefined) series.set({ tenant_id, workspace_id }, value)
      }
    }
  }
}
