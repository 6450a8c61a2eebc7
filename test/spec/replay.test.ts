import {
  type Caller,
  encodeUtf8,
  type Json,
  type Keep,
  type Kernel,
  type ReceiptStore,
  scopeOf,
  type Stored,
} from '@helm-ai-kernel/core'
import { encodeBundle } from '@helm-ai-kernel/core/bundle'
import { encodeStoredArgs, storedArgsName } from '@helm-ai-kernel/core/policy'
import { fileKeep } from '@helm-ai-kernel/host'
import { beforeEach, describe, expect, it } from 'vitest'
import { compileUnverified } from '../../packages/cli/src/policy-file.ts'
import { codeOf } from '../../packages/cli/src/replay/print.ts'
import {
  type Replay,
  replayDecisions,
  type ReplayInput,
} from '../../packages/cli/src/replay/replay.ts'
import type { FakeClock } from '../support/clock.ts'
import { kernelSigner, readyKernel, sampleRules, testKernel } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { scope } from '../support/policy.ts'

const agent = 'agent:a'
let keep: Keep
let store: ReceiptStore
let kernel: Kernel
let clock: FakeClock

beforeEach(async () => {
  keep = fileKeep(memoryDisk())
  ;({ kernel, store, clock } = await readyKernel({ args: keep }))
})

async function decided(
  action: string,
  args: Readonly<Record<string, Json>> = {},
  caller?: Caller,
): Promise<Stored> {
  const { receipt } = await kernel.decide({ principal: agent, action, args }, caller)
  if (receipt === undefined) throw new Error('no receipt')
  return receipt
}

function by(rules: readonly Json[], more: Readonly<Record<string, Json>> = {}) {
  return compileUnverified(encodeBundle({ rules, ...more }, { scope, policyEpoch: 2 })).snapshot
}

function replay(rules: readonly Json[], more: Partial<ReplayInput> = {}): Promise<Replay> {
  return replayDecisions({
    receipts: store,
    keep,
    candidate: by(rules),
    range: { scope, from: undefined, to: undefined },
    limit: Infinity,
    signers: new Map([[kernelSigner.keyId, kernelSigner]]),
    progress: () => undefined,
    ...more,
  })
}

const small = { path: 'args.amount', op: 'lte', value: 100 }
const allowSmall = { id: 'small', effect: 'ALLOW', actions: ['refund.create'], when: small }

describe('a replay', () => {
  it('changes nothing by the same rules', async () => {
    await decided('ticket.read')
    await decided('refund.create', { amount: 5 })
    await decided('other')
    const result = await replay(sampleRules)
    expect(result).toMatchObject({ changed: 0, unchanged: 3, changes: [], unchecked: 0 })
    expect(codeOf(result)).toBe(0)
  })

  it('finds the verdicts that arguments decide', async () => {
    await decided('refund.create', { amount: 5 })
    const much = await decided('refund.create', { amount: 500 })
    const result = await replay([...sampleRules.slice(1), allowSmall].slice(1))
    expect(result).toMatchObject({ changed: 2, unchanged: 0 })
    expect(result.changes.map(({ candidate }) => candidate.verdict)).toEqual(['ALLOW', 'DENY'])
    expect(result.changes[1]).toMatchObject({
      receiptId: much.receiptId,
      recorded: { verdict: 'ESCALATE', rule_ids: ['ask-refund'] },
      candidate: { reasonCode: 'NO_MATCHING_RULE' },
    })
    expect(codeOf(result)).toBe(1)
  })

  it('asks as the caller did, at the time of the receipt', async () => {
    const admin: Caller = {
      ...{ scope, surface: 'evaluate', credential: 'admin', method: 'key' },
      roles: ['decide', 'approve'],
    }
    await decided('ticket.read', {}, admin)
    clock.advance(60_000)
    await decided('ticket.read')
    const rule = (when: Json): Json => ({ id: 'r', effect: 'ALLOW', actions: ['*'], when })
    const changedSeqs = async (when: Json) =>
      (await replay([rule(when)])).changes.map(({ recorded }) => recorded.seq)
    expect(await changedSeqs({ path: 'auth.credential', op: 'eq', value: 'admin' })).toEqual([3])
    expect(await changedSeqs({ path: 'auth.roles', op: 'contains', value: 'approve' })).toEqual([3])
    expect(await changedSeqs({ path: 'auth.surface', op: 'eq', value: 'embed' })).toEqual([2])
    const first = '2026-11-22T06:00:00.000Z'
    expect(await changedSeqs({ path: 'time', op: 'eq', value: first })).toEqual([3])
  })

  it('looks for the resource where the candidate says, unless the caller named one', async () => {
    await decided('ticket.read', { id: 'secret:1' })
    const named = { principal: agent, action: 'ticket.read', resource: 'ticket:1' }
    await kernel.decide({ ...named, args: { id: 'secret:1' } })
    const candidate = by(sampleRules, { resources_from: { 'ticket.read': 'args.id' } })
    const result = await replay([], { candidate })
    expect(result.changes.map(({ recorded }) => recorded.seq)).toEqual([2])
  })

  it('is of one scope and of a stretch of time', async () => {
    const elsewhere: Caller = {
      ...{ scope: scopeOf('acme', 'prod'), surface: 'embed', credential: '', method: 'embed' },
      roles: ['decide'],
    }
    await decided('ticket.read', {}, elsewhere)
    for (let i = 0; i < 3; i++) {
      await decided('ticket.read')
      clock.advance(1000)
    }
    const [from, to] = ['2026-11-22T06:00:01.000Z', '2026-11-22T06:00:01.000Z']
    const count = async (range: Partial<ReplayInput['range']>) =>
      (await replay([], { range: { scope, from: undefined, to: undefined, ...range } })).changed
    expect(await count({})).toBe(3)
    expect(await count({ from })).toBe(2)
    expect(await count({ to })).toBe(2)
    expect(await count({ from, to })).toBe(1)
  })

  it('stops at its limit and says so', async () => {
    for (let i = 0; i < 3; i++) await decided('ticket.read')
    expect(await replay([], { limit: 2 })).toMatchObject({ changed: 2, isCut: true })
    expect(await replay([], { limit: 3 })).toMatchObject({ changed: 3, isCut: false })
  })

  it('has a page of receipts in memory, and goes on where a scan stopped', async () => {
    for (let i = 0; i < 600; i++) await decided('ticket.read')
    const asked: number[] = []
    const receipts: Pick<ReceiptStore, 'find'> = {
      async find(query) {
        asked.push(query.limit)
        // At first a scan that met its limit before it had found anything.
        if (query.afterSeq === 0) return { receipts: [], hasMore: true, scannedTo: 1 }
        return store.find(query)
      },
    }
    const result = await replay([], { receipts })
    expect(result.changed).toBe(600)
    expect(asked.length).toBeGreaterThan(3)
    expect(Math.max(...asked)).toBeLessThanOrEqual(256)
  })

  it('keeps a thousand changes to show, and counts the others', async () => {
    for (let i = 0; i < 1001; i++) await decided('ticket.read')
    const { changed, changes } = await replay([])
    expect([changed, changes.length]).toEqual([1001, 1000])
  })
})

describe('what cannot be replayed is counted', () => {
  it('when its arguments are not stored; and nothing compared is no good news', async () => {
    const one = await decided('ticket.read')
    await decided('other')
    await keep.remove(storedArgsName(one.receiptId))
    const result = await replay(sampleRules)
    expect(result).toMatchObject({ unchanged: 1, absent: { count: 1, first: [one.receiptId] } })
    expect(codeOf(result)).toBe(0)
    const nothing = await replay(sampleRules, { keep: fileKeep(memoryDisk()) })
    expect(nothing).toMatchObject({ unchanged: 0, absent: { count: 2 } })
    expect(codeOf(nothing)).toBe(2)
  })

  it('when no rule decided it', async () => {
    const empty = testKernel({ args: keep })
    await empty.kernel.decide({ principal: agent, action: 'ticket.read' })
    const result = await replay(sampleRules, { receipts: empty.store })
    expect([...result.notByRules]).toEqual([['POLICY_NOT_READY', 1]])
    expect(codeOf(result)).toBe(0)
  })

  const stored = { args: { amount: 5 }, context: {}, resource: '', roles: ['decide'] }
  it.each<[string, Uint8Array]>([
    ['other arguments', encodeStoredArgs({ ...stored, args: { amount: 6 } })],
    ['another context', encodeStoredArgs({ ...stored, context: { by: 'me' } })],
    ['another resource', encodeStoredArgs({ ...stored, resource: 'order:2' })],
    ['no arguments at all', encodeUtf8('{}')],
  ])('when there are %s than the receipt is about, which is a fault', async (_, bytes) => {
    const { receiptId } = await decided('refund.create', { amount: 5 })
    await keep.put(storedArgsName(receiptId), bytes)
    const result = await replay(sampleRules)
    expect(result).toMatchObject({ unchanged: 0, altered: { count: 1, first: [receiptId] } })
    expect(codeOf(result)).toBe(2)
  })

  it('as unchecked, when no seed at hand opens its hashes', async () => {
    const { receiptId } = await decided('refund.create', { amount: 5 })
    await keep.put(storedArgsName(receiptId), encodeStoredArgs({ ...stored, args: { amount: 6 } }))
    const result = await replay(sampleRules, { signers: new Map() })
    expect(result).toMatchObject({ unchanged: 1, unchecked: 1, altered: { count: 0 } })
  })
})
