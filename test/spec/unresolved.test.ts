import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Draft } from '@helm-ai-kernel/core'
import {
  type AuditResult,
  createAudit,
  createUnresolved,
  type DecisionBody,
} from '@helm-ai-kernel/core/receipt'
import { afterAll, describe, expect, it } from 'vitest'
import { createMetrics } from '../../packages/host/src/metrics.ts'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { cliBench } from '../support/cli.ts'
import { asking, ledgerFiles } from '../support/ledger.ts'
import { acme, began, identity, sealAll, signerOf } from '../support/log-entries.ts'

const key = signerOf(1)
const allowed = { surface: 'mcp', verdict: 'ALLOW', reason_code: 'ALLOWED_BY_RULE' } as const

function sealed(...drafts: readonly Draft[]) {
  return sealAll([began(key), ...drafts].map((draft) => ({ by: key, draft })))
}

/** The outcome of the call that these drafts, which begin the log, end with. */
function outcomeOf(...drafts: readonly Draft[]): Draft {
  const decision = sealed(...drafts).at(-1)?.receiptId ?? ''
  const body = { kind: 'outcome', status: 'ok', output_hash: null, links: { decision } } as const
  return { scope: acme, body }
}

function openAfter(...drafts: readonly Draft[]): readonly string[] {
  const unresolved = createUnresolved()
  for (const receipt of sealed(...drafts)) unresolved.apply(receipt)
  return unresolved.list()
}

function audit(...drafts: readonly Draft[]): AuditResult {
  const made = createAudit({ crypto, identity })
  for (const { entry } of sealed(...drafts)) made.add(entry)
  return made.finish()
}

const outcomes = ({ checks }: AuditResult) => checks.find(({ name }) => name === 'outcomes')

describe('a call without an outcome', () => {
  it('is one that was allowed, through a door that tells how calls end', () => {
    const call = asking('a', allowed)
    expect(openAfter(call)).toEqual([sealed(call).at(-1)?.receiptId])
    expect(openAfter(asking('a', { ...allowed, surface: 'proxy' }))).toHaveLength(1)
    const others: readonly Partial<DecisionBody>[] = [
      { surface: 'embed' },
      { surface: 'evaluate' },
      { surface: 'batch' },
      { verdict: 'DENY' },
      { verdict: 'ESCALATE' },
    ]
    for (const more of others) expect(openAfter(asking('a', { ...allowed, ...more }))).toEqual([])
  })

  it('is none any more when its own outcome is there', () => {
    const [one, two] = [asking('a', allowed), asking('b', allowed)]
    const still = openAfter(one, two, outcomeOf(one))
    expect(still).toEqual([sealed(one, two).at(-1)?.receiptId])
    expect(openAfter(one, two, outcomeOf(one), outcomeOf(one, two))).toEqual([])
  })

  it('is remembered where a store left off', () => {
    const [one, two] = [asking('a', allowed), asking('b', allowed)]
    const before = createUnresolved(openAfter(one))
    for (const receipt of sealed(one, two, outcomeOf(one)).slice(2)) before.apply(receipt)
    expect(before.list()).toEqual(openAfter(one, two, outcomeOf(one)))
  })

  it('is forgotten after four thousand newer ones, so that nobody can fill the memory', () => {
    const [receipt] = sealed(asking('a', allowed)).slice(1)
    if (receipt === undefined) throw new Error('unreachable')
    const unresolved = createUnresolved()
    const ids = Array.from({ length: 5000 }, (_, i) => `${i}` as typeof receipt.receiptId)
    for (const receiptId of ids) unresolved.apply({ ...receipt, receiptId })
    expect(unresolved.list()).toEqual(ids.slice(-4096))
  })
})

describe('an audit', () => {
  it('counts calls without outcome and names them, and they fail nothing', () => {
    const call = asking('a', allowed)
    const one = audit(call)
    expect(one.verdict).toBe('PASS')
    expect(one.counts.unresolved).toBe(1)
    expect(outcomes(one)).toEqual({
      name: 'outcomes',
      status: 'pass',
      detail: 'allowed calls without outcome, perhaps cut off: 1 ' + `(${openAfter(call).join()})`,
    })
    const many = audit(...['a', 'b', 'c', 'd'].map((action) => asking(action, allowed)))
    expect(outcomes(many)?.detail).toMatch(/: 4 \((rcpt-\w+, ){3}…\)$/)
  })

  it('says that all have one when they have', () => {
    const call = asking('a', allowed)
    const result = audit(call, outcomeOf(call))
    expect(result.counts.unresolved).toBe(0)
    expect(outcomes(result)?.detail).toMatch(/each allowed call/)
  })
})

describe('ledger verify', () => {
  const bench = cliBench()
  afterAll(bench.remove)

  it('warns of them, and passes', async () => {
    for (const [path, bytes] of await ledgerFiles([asking('a', allowed)])) {
      mkdirSync(dirname(join(bench.folder, 'data', path)), { recursive: true })
      writeFileSync(join(bench.folder, 'data', path), bytes)
    }
    const { code, stdout } = await bench.run(['ledger', 'verify', '--data-dir', 'data'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/\nPASS\nwarning: allowed calls without outcome.*: 1 \(rcpt-/)
    expect(await bench.json(['ledger', 'verify', '--data-dir', 'data'])).toMatchObject({
      counts: { unresolved: 1 },
    })
  })
})

describe('the metric of calls without outcome', () => {
  const scrape = async (
    unresolved?: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<string | undefined> => {
    const metrics = createMetrics({
      build: { version: '0.0.0' },
      clock: { now: () => 0 },
      policy: {
        statuses: () => [],
        counts: () => ({ active: 0, stale: 0, expired: 0, invalid: 0, withdrawn: 0, no_policy: 0 }),
      },
      readiness: () => ({ ready: true, reasons: [], warnings: [] }),
      ...(unresolved && { unresolved }),
    })
    const { body } = await metrics.render()
    return body.split('\n').find((line) => line.startsWith('helm_calls_without_outcome'))
  }

  it('says how many there are', async () => {
    expect(await scrape(() => [])).toBe('helm_calls_without_outcome 0')
    expect(await scrape(async () => ['rcpt-1', 'rcpt-2'])).toBe('helm_calls_without_outcome 2')
  })

  it('has no number while nobody can tell', async () => {
    expect(await scrape()).toBeUndefined()
    expect(await scrape(() => Promise.reject(new Error('the database is away')))).toBeUndefined()
  })
})
