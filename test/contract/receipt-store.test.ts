import {
  type Draft,
  isDigest,
  memoryStore,
  type ReceiptQuery,
  type ReceiptStore,
  type Seal,
  timestamp,
} from '@helm-ai-kernel/core'
import { digestOfReceipt } from '@helm-ai-kernel/core/receipt'
import { openSqlite, sqliteStore } from '@helm-ai-kernel/sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fakeClock } from '../support/clock.ts'
import { asking, key, openOn, sealer } from '../support/ledger.ts'
import { acme, activation, began, decision, identity, other } from '../support/log-entries.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import {
  freshSchema,
  hasPostgres,
  openIn,
  startPostgres,
  type TestServer,
} from '../support/postgres.ts'

interface Subject {
  readonly store: ReceiptStore
  readonly seal: Seal
  readonly clock: ReturnType<typeof fakeClock>
}

let server: TestServer | undefined
const opened: { close(): Promise<void> }[] = []
beforeAll(async () => {
  if (hasPostgres) server = await startPostgres()
})
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})
afterAll(() => server?.end())

describe.each(
  [
    {
      name: 'memoryStore',
      make: async (): Promise<Subject> => {
        const clock = fakeClock()
        return { store: memoryStore(identity), seal: sealer(identity, clock), clock }
      },
    },
    {
      name: 'sqliteStore',
      make: async (): Promise<Subject> => {
        const clock = fakeClock()
        const store = sqliteStore(await openSqlite(), identity)
        return { store, seal: sealer(identity, clock), clock }
      },
    },
    {
      name: 'the ledger',
      make: async (): Promise<Subject> => {
        const clock = fakeClock()
        const ledger = await openOn(memoryDisk(), { clock })
        return { store: ledger, seal: sealer(ledger.identity, clock), clock }
      },
    },
    {
      name: 'postgres',
      make: async (): Promise<Subject> => {
        const clock = fakeClock()
        const ledger = await openIn({ url: server?.url ?? '' }, { clock, schema: freshSchema() })
        opened.push(ledger)
        return { store: ledger, seal: sealer(ledger.identity, clock), clock }
      },
    },
  ].filter(({ name }) => name !== 'postgres' || hasPostgres),
)('$name is a ReceiptStore', ({ make }) => {
  it('gives each draft its place in the log and in its scope', async () => {
    const { store, seal } = await make()
    const drafts = [began(key), decision(acme, null), decision(other, null), decision(acme, null)]
    const results = await store.append(drafts, seal)
    const places = results.map((one) =>
      'refused' in one ? one : [one.logIndex, one.statement.scope.workspace_id, one.statement.seq],
    )
    expect(places).toEqual([
      [0, 'system', 1],
      [1, 'prod', 1],
      [2, 'test', 1],
      [3, 'prod', 2],
    ])
    expect(await store.read(0, 9)).toEqual(results)
  })

  it('keeps one chain, whoever calls when', async () => {
    const { store, seal } = await make()
    await store.append([began(key)], seal)
    const calls = Array.from({ length: 100 }, async (_, i) => {
      for (let turn = 0; turn < i % 7; turn++) await Promise.resolve()
      return store.append([decision(acme, null), decision(acme, null)], seal)
    })
    const results = (await Promise.all(calls)).flat()
    const log = await store.read(1, 201)
    expect(new Set(results)).toEqual(new Set(log))
    for (const [i, { logIndex, statement }] of log.entries()) {
      expect([logIndex, statement.seq]).toEqual([i + 1, i + 1])
      const before = log[i - 1]
      if (before !== undefined) expect(statement.prev).toBe(digestOfReceipt(before.receiptId))
    }
  })

  it('answers each draft in order, and a refused one takes no place', async () => {
    const { store, seal } = await make()
    const picky: Seal = (state, drafts) =>
      drafts.flatMap((draft) =>
        draft.body.kind === 'activation' ? [{ refused: 'POLICY_BEHIND' }] : seal(state, [draft]),
      )
    const [refused, recorded] = await store.append([activation(acme, 1), began(key)], picky)
    expect(refused).toEqual({ refused: 'POLICY_BEHIND' })
    expect(recorded).toMatchObject({ logIndex: 0 })
    expect((await store.state()).size).toBe(1)
  })

  it('lets a seal see everything that was sealed before it', async () => {
    const { store, seal } = await make()
    const seen: number[] = []
    const watching: Seal = (state, drafts) => {
      seen.push(state.size, state.scope(acme).signed?.epoch ?? 0)
      return seal(state, drafts)
    }
    const epochs = [3, 4, 5]
    await Promise.all(epochs.map((epoch) => store.append([activation(acme, epoch)], watching)))
    expect(seen).toEqual([0, 0, 1, 3, 2, 4])
  })

  it('rejects the call whose seal throws, and records nothing of it', async () => {
    const { store, seal } = await make()
    const broken: Seal = () => {
      throw new Error('too large')
    }
    const calls = [seal, broken, seal].map((one) => store.append([decision(acme, null)], one))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await store.state()).scope(acme).seq).toBe(2)
  })

  it('takes a call without drafts', async () => {
    const { store, seal } = await make()
    expect(await store.append([], seal)).toEqual([])
  })

  it('says where the log and each scope stand', async () => {
    const { store, seal, clock } = await make()
    await store.append([began(key), activation(acme, 3), activation(acme, 2, false)], seal)
    const [last] = await store.read(2, 3)
    const state = await store.state()
    expect([state.size, state.time, state.key]).toEqual([3, clock.now(), key.keyId])
    const hash = activation(acme, 3).body
    if (hash.kind !== 'activation' || last === undefined) throw new Error('unreachable')
    expect(state.scope(acme)).toEqual({
      seq: 2,
      prev: digestOfReceipt(last.receiptId),
      signed: { epoch: 3, hash: hash.policy_hash },
      signedOnly: true,
      unsigned: { epoch: 2, hash: hash.policy_hash },
    })
    expect(isDigest(state.scope(acme).prev)).toBe(true)
    expect(state.scope(other).seq).toBe(0)
  })

  it('reads a range, and less where the log is shorter', async () => {
    const { store, seal } = await make()
    await store.append(
      Array.from({ length: 5 }, () => decision(acme, null)),
      seal,
    )
    const indices = async (from: number, to: number) =>
      (await store.read(from, to)).map(({ logIndex }) => logIndex)
    expect(await indices(1, 3)).toEqual([1, 2])
    expect(await indices(3, 99)).toEqual([3, 4])
    expect(await indices(5, 9)).toEqual([])
    expect(await indices(2, 2)).toEqual([])
  })

  describe('finds receipts', () => {
    async function filled(): Promise<(query: Partial<ReceiptQuery>) => Promise<unknown>> {
      const { store, seal, clock } = await make()
      const send = async (draft: Draft) => {
        clock.advance(1000)
        await store.append([draft], seal)
      }
      await send(asking('a.read'))
      await send(asking('a.write', { verdict: 'ALLOW', reason_code: 'ALLOWED_BY_RULE' }))
      await send(decision(other, null))
      await send(activation(acme, 1))
      await send(asking('a.read', { principal: 'user:eve', session_id: 's-1' }))
      await send(asking('b.read', { resource: 'order:7' }))
      return async (query) => {
        const { receipts, hasMore } = await store.find({ scope: acme, limit: 100, ...query })
        const seqs = receipts.map(({ statement }) => statement.seq)
        return hasMore ? [...seqs, 'more'] : seqs
      }
    }

    it.each<[Partial<ReceiptQuery>, readonly number[]]>([
      [{}, [1, 2, 3, 4, 5]],
      [{ scope: other }, [1]],
      [{ scope: { tenantId: 'no', workspaceId: 'one' } }, []],
      [{ kind: 'activation' }, [3]],
      [{ verdict: 'ALLOW' }, [2]],
      [{ reasonCode: 'POLICY_NOT_READY' }, [1, 4, 5]],
      [{ principal: 'user:eve' }, [4]],
      [{ action: 'a.read' }, [1, 4]],
      [{ action: 'a.read', principal: 'agent:a' }, [1]],
      [{ action: 'A.READ' }, []],
      [{ resource: 'order:7' }, [5]],
      [{ sessionId: 's-1' }, [4]],
      [{ sessionId: '' }, [1, 2, 5]],
      [{ afterSeq: 3 }, [4, 5]],
    ])('that fit %j', async (query, seqs) => {
      expect(await (await filled())(query)).toEqual(seqs)
    })

    it('of a time, bounds included', async () => {
      const find = await filled()
      const start = fakeClock().now()
      const [from, to] = [timestamp(start + 2000), timestamp(start + 5000)]
      expect(await find({ from, to })).toEqual([2, 3, 4])
    })

    it('a page at a time', async () => {
      const find = await filled()
      expect(await find({ limit: 2 })).toEqual([1, 2, 'more'])
      expect(await find({ limit: 2, afterSeq: 2 })).toEqual([3, 4, 'more'])
      expect(await find({ limit: 2, afterSeq: 4 })).toEqual([5])
      expect(await find({ limit: 1, kind: 'activation' })).toEqual([3])
    })

    it('by id, in their own scope alone', async () => {
      const { store, seal } = await make()
      const [made] = await store.append([decision(acme, null)], seal)
      if (made === undefined || 'refused' in made) throw new Error('unreachable')
      const { receiptId } = made
      const query = { scope: acme, receiptId, limit: 1 }
      expect((await store.find(query)).receipts).toEqual([made])
      expect((await store.find({ ...query, scope: other })).receipts).toEqual([])
    })
  })
})
