import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { PolicyAttempt, PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import type { HttpEvent, Readiness } from '@helm-ai-kernel/http'
import { createMetrics, type Metrics } from '../../packages/host/src/metrics.ts'
import { now } from '../support/policy.ts'
import { policyStatus } from '../support/policy-status.ts'

const scopeLabels = 'tenant_id="default",workspace_id="default"'

interface Made extends Metrics {
  /** What a scrape says, by series. */
  scrape(): Promise<ReadonlyMap<string, number>>
}

function made(
  statuses: () => readonly PolicyStatus[] = () => [policyStatus()],
  readiness: Readiness = { ready: true, reasons: [], warnings: [] },
): Made {
  const metrics = createMetrics({
    build: { version: '0.5.6', runtime: 'node 1.2.3' },
    clock: { now: () => now },
    policy: { statuses: (most) => statuses().slice(0, most), counts: () => countsOf(statuses()) },
    readiness: () => readiness,
  })
  return { ...metrics, scrape: async () => seriesOf((await metrics.render()).body) }
}

function seriesOf(text: string): ReadonlyMap<string, number> {
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const series = samples.map((line) => {
    const at = line.lastIndexOf(' ')
    return [line.slice(0, at), Number(line.slice(at + 1))] as const
  })
  expect(new Set(series.map(([name]) => name)).size).toBe(series.length)
  return new Map(series)
}

const event: HttpEvent = {
  status: 200,
  method: 'POST',
  route: '/api/v1/evaluate',
  code: 'ALLOWED_BY_RULE',
  verdict: 'ALLOW',
  ms: 3,
  correlationId: 'c',
  cause: undefined,
}

const refused = (
  code: PolicyStatus['reason_code'],
  kind: PolicyAttempt['class'],
): PolicyAttempt => ({
  class: kind,
  status: policyStatus({ reconcile_status: 'invalid', ...(code && { reason_code: code }) }),
})

describe('the metrics of policy', () => {
  it('tell how each scope stands at the moment of the scrape', async () => {
    let status = policyStatus()
    const { scrape } = made(() => [status])
    const before = await scrape()
    expect(Object.fromEntries([...before].filter(([name]) => name.includes('tenant_id')))).toEqual({
      [`helm_policy_ready{${scopeLabels}}`]: 1,
      [`helm_policy_epoch{${scopeLabels}}`]: 7,
      [`helm_policy_age_seconds{${scopeLabels}}`]: 12,
      [`helm_policy_last_verified_timestamp_seconds{${scopeLabels}}`]: now / 1000,
      [`helm_policy_stale_in_seconds{${scopeLabels}}`]: 588,
      [`helm_policy_consecutive_failures{${scopeLabels}}`]: 0,
    })
    status = policyStatus({
      snapshot_status: 'stale',
      age_seconds: 601,
      stale_in_seconds: 0,
      consecutive_failures: 60,
    })
    const after = await scrape()
    expect(after.get(`helm_policy_ready{${scopeLabels}}`)).toBe(0)
    expect(after.get(`helm_policy_age_seconds{${scopeLabels}}`)).toBe(601)
    expect(after.get(`helm_policy_consecutive_failures{${scopeLabels}}`)).toBe(60)
  })

  it('have no number where there is none, rather than one that says something else', async () => {
    const none: PolicyStatus = {
      tenant_id: 'default',
      workspace_id: 'default',
      reconcile_status: 'source_error',
      snapshot_status: 'no_policy',
      provenance: null,
      source: 'mountedFile',
      updated: false,
      last_attempt_at: null,
      last_verified_at: null,
      age_seconds: null,
      consecutive_failures: 3,
      next_poll_at: null,
    }
    const series = await made(() => [none]).scrape()
    expect([...series.keys()].filter((name) => name.includes('tenant_id'))).toEqual([
      `helm_policy_ready{${scopeLabels}}`,
      `helm_policy_consecutive_failures{${scopeLabels}}`,
    ])
  })

  it('forget a scope that is no more', async () => {
    let statuses = [policyStatus(), policyStatus({ tenant_id: 'acme' })]
    const { scrape } = made(() => statuses)
    const names = async (): Promise<number> =>
      [...(await scrape()).keys()].filter((name) => name.includes('tenant_id="acme"')).length
    expect(await names()).toBe(6)
    statuses = [policyStatus()]
    expect(await names()).toBe(0)
  })

  it('give a thousand scopes series of their own, and count all by their status', async () => {
    const many = Array.from({ length: 1500 }, (_, i) =>
      policyStatus({
        tenant_id: `t${i}`,
        snapshot_status: i % 3 === 0 ? 'expired' : 'active',
      }),
    )
    const series = await made(() => many).scrape()
    const own = [...series.keys()].filter((name) => name.startsWith('helm_policy_ready'))
    expect(own).toHaveLength(1000)
    const count = (status: string): number | undefined =>
      series.get(`helm_policy_scopes{snapshot_status="${status}"}`)
    expect([count('active'), count('expired')]).toEqual([1000, 500])
    expect(['stale', 'invalid', 'withdrawn', 'no_policy'].map(count)).toEqual([0, 0, 0, 0])
  })

  it('count attempts by how they ended, and hostile ones once more', async () => {
    const { observePolicy, scrape } = made()
    const hostile = 'helm_policy_hostile_total{reason_code="EPOCH_ROLLBACK"}'
    expect((await scrape()).get(hostile)).toBe(0)
    observePolicy({ class: 'good', status: policyStatus({ reconcile_status: 'ok' }) })
    observePolicy({ class: 'good', status: policyStatus() })
    observePolicy({ class: 'good', status: policyStatus() })
    observePolicy(refused('COMPILE_FAILED', 'refused'))
    observePolicy(refused('EPOCH_ROLLBACK', 'hostile'))
    const series = await scrape()
    const count = (status: string, code: string): number | undefined =>
      series.get(`helm_policy_reconcile_total{status="${status}",reason_code="${code}"}`)
    expect(count('ok', '')).toBe(1)
    expect(count('no_change', '')).toBe(2)
    expect(count('invalid', 'COMPILE_FAILED')).toBe(1)
    expect(count('invalid', 'EPOCH_ROLLBACK')).toBe(1)
    expect(series.get(hostile)).toBe(1)
    expect(series.get('helm_policy_hostile_total{reason_code="COMPILE_FAILED"}')).toBe(0)
  })
})

describe('the metrics of the kernel', () => {
  it('say which build it is, since when it runs, and that it is ready', async () => {
    const series = await made().scrape()
    expect(series.get('helm_build_info{version="0.5.6",runtime="node 1.2.3"}')).toBe(1)
    expect(series.get('process_start_time_seconds')).toBe(now / 1000)
    expect(series.get('helm_ready')).toBe(1)
    expect([...series.keys()].filter((name) => name.startsWith('helm_not_ready'))).toEqual([])
  })

  it('say why it is not ready, by code and without a sentence', async () => {
    const detail = 'no space left on /data/acme'
    const finding = { check: 'ledger', code: 'LEDGER_FULL', detail, fix: detail }
    const { render } = made(undefined, { ready: false, reasons: [finding], warnings: [] })
    const { body } = await render()
    const series = seriesOf(body)
    expect(series.get('helm_ready')).toBe(0)
    expect(series.get('helm_not_ready_reason{check="ledger",code="LEDGER_FULL"}')).toBe(1)
    expect(body).not.toContain('/data')
  })

  it('count decisions by verdict and reason', async () => {
    const { observeRequest, scrape } = made()
    observeRequest(event)
    observeRequest(event)
    observeRequest({ ...event, verdict: 'DENY', code: 'NO_MATCHING_RULE' })
    observeRequest({ ...event, status: 400, verdict: undefined, code: 'REQUEST_MALFORMED' })
    const series = await scrape()
    const decided = [...series].filter(([name]) => name.startsWith('helm_decisions_total'))
    expect(decided).toEqual([
      ['helm_decisions_total{verdict="ALLOW",reason_code="ALLOWED_BY_RULE"}', 2],
      ['helm_decisions_total{verdict="DENY",reason_code="NO_MATCHING_RULE"}', 1],
    ])
  })

  it('count answers by route, method and status, and their time by route', async () => {
    const { observeRequest, scrape } = made()
    observeRequest(event)
    observeRequest({ ...event, status: 503, verdict: undefined, code: 'OVERLOADED', ms: 700 })
    const series = await scrape()
    const labels = 'route="/api/v1/evaluate",method="POST"'
    expect(series.get(`helm_http_requests_total{${labels},status="200"}`)).toBe(1)
    expect(series.get(`helm_http_requests_total{${labels},status="503"}`)).toBe(1)
    const duration = 'helm_http_request_duration_seconds'
    const route = 'route="/api/v1/evaluate"'
    expect(series.get(`${duration}_bucket{le="0.005",${route}}`)).toBe(1)
    expect(series.get(`${duration}_bucket{le="1",${route}}`)).toBe(2)
    expect(series.get(`${duration}_count{${route}}`)).toBe(2)
    expect(series.get(`${duration}_sum{${route}}`)).toBeCloseTo(0.703)
  })

  it('get no series for each method that a client makes up', async () => {
    const { observeRequest, scrape } = made()
    for (let i = 0; i < 50; i++) {
      observeRequest({
        ...event,
        method: `M${i}`,
        route: '*',
        verdict: undefined,
        code: 'NOT_FOUND',
      })
    }
    const series = await scrape()
    const counted = [...series].filter(([name]) => name.startsWith('helm_http_requests_total'))
    expect(counted).toEqual([
      ['helm_http_requests_total{route="*",method="other",status="200"}', 50],
    ])
  })
})

describe('the text of a scrape', () => {
  async function everything(): Promise<string> {
    const { observePolicy, observeRequest, render } = made(() => [
      policyStatus(),
      policyStatus({ tenant_id: 'acme', snapshot_status: 'no_policy' }),
    ])
    observePolicy(refused('HASH_MISMATCH', 'hostile'))
    observeRequest(event)
    observeRequest({ ...event, status: 404, verdict: undefined, code: 'NOT_FOUND', route: '*' })
    return (await render()).body
  }

  it('says that it is the text form of Prometheus', async () => {
    expect((await made().render()).contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  })

  it('has help and a type before the samples of each family, names in form, no series twice', async () => {
    const text = await everything()
    expect(text.endsWith('\n')).toBe(true)
    let family = ''
    const families: string[] = []
    const types = new Map<string, string>()
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
      if (word === 'HELP') {
        expect(rest).toMatch(/^[A-Z].*\.$/)
        families.push((family = name))
      } else if (word === 'TYPE') {
        expect(name).toBe(family)
        expect(rest).toMatch(/^(gauge|counter|histogram)$/)
        expect(name.endsWith('_total')).toBe(rest === 'counter')
        types.set(name, rest)
      } else {
        const sample = /^([a-z_][a-z0-9_]*)(?:\{([^{}]*)\})? (\S+)$/.exec(line)
        const suffix = types.get(family) === 'histogram' ? /_(?:bucket|sum|count)$/ : /$/
        expect(sample?.[1]?.replace(suffix, ''), line).toBe(family)
        expect(sample?.[2] ?? '', line).toMatch(/^(?:[a-z_]+="[^"\\\n]*",?)*$/)
        expect(Number(sample?.[3]), line).not.toBeNaN()
      }
    }
    expect(new Set(families).size).toBe(families.length)
    expect([...types.keys()]).toEqual(families)
    expect(seriesOf(text).size).toBeGreaterThan(families.length)
  })

  const promtool = spawnSync('promtool', ['--version']).error === undefined
  const name = promtool ? 'is what promtool takes' : 'was not given to promtool, which is not here'
  it.skipIf(!promtool)(name, async () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await everything(),
      encoding: 'utf8',
    })
    expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: 0, said: '' })
  })
})

function countsOf(statuses: readonly PolicyStatus[]) {
  const counts = { active: 0, stale: 0, expired: 0, invalid: 0, withdrawn: 0, no_policy: 0 }
  for (const { snapshot_status } of statuses) counts[snapshot_status]++
  return counts
}
