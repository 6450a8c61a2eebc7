import { type AddressInfo, createServer } from 'node:net'
import { isKernelError } from '@helm-ai-kernel/core'
import type { PostgresLedger } from '@helm-ai-kernel/postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hostClock } from '../../packages/host/src/clock.ts'
import { asking, key, sealer } from '../support/ledger.ts'
import { began } from '../support/log-entries.ts'
import {
  auditedLog,
  freshSchema,
  hasPostgres,
  openIn,
  startPostgres,
  type TestServer,
  untilWell,
} from '../support/postgres.ts'
import { startProxy } from '../support/postgres-proxy.ts'

describe.skipIf(!hasPostgres)('a ledger on a database that fails', () => {
  let server: TestServer
  const opened: PostgresLedger[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(async () => {
    for (const ledger of opened.splice(0)) await ledger.close()
  })
  afterAll(() => server.end())

  async function open(schema: string, url = server.url): Promise<PostgresLedger> {
    const ledger = await openIn({ url }, { clock: hostClock, schema, checkpointInterval: 50 })
    opened.push(ledger)
    return ledger
  }

  /** Replicas of one ledger, its key begun. */
  async function replicas(count: number, schema: string): Promise<readonly PostgresLedger[]> {
    const ledgers = []
    for (let i = 0; i < count; i++) ledgers.push(await open(schema))
    const [first] = ledgers
    await first?.append([began(key)], sealer(first.identity, hostClock))
    return ledgers
  }

  /** Appends by several callers at once until stopped; gives the ids of what was acknowledged. */
  function load(ledger: PostgresLedger, who: string) {
    const acknowledged: string[] = []
    const codes = new Set<string>()
    const seal = sealer(ledger.identity, hostClock)
    let stopped = false
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      for (let i = 0; !stopped; i++) {
        try {
          const [one] = await ledger.append([asking(`${who}.${caller}.${i}`)], seal)
          if (one !== undefined && 'receiptId' in one) acknowledged.push(one.receiptId)
        } catch (error) {
          if (!isKernelError(error)) throw error
          codes.add(error.code)
          await hostClock.sleep(5)
        }
      }
    })
    return {
      acknowledged,
      async stop() {
        stopped = true
        await Promise.all(callers)
        return { acknowledged, codes: [...codes] }
      },
    }
  }

  /** Runs a load on each, does something to the server meanwhile, and audits what is left. */
  async function survive(ledgers: readonly PostgresLedger[], harm: () => Promise<void>) {
    const loads = ledgers.map((ledger, i) => load(ledger, `r${i}`))
    await harm()
    for (const ledger of ledgers) await untilWell(ledger)
    const counts = loads.map(({ acknowledged }) => acknowledged.length)
    while (loads.some(({ acknowledged }, i) => acknowledged.length <= (counts[i] ?? 0))) {
      await hostClock.sleep(10)
    }
    const ends = await Promise.all(loads.map((one) => one.stop()))
    const [first] = ledgers
    if (first === undefined) throw new Error('no replica')
    await untilWell(first)
    const served = new Set<string>((await auditedLog(first)).map(({ receiptId }) => receiptId))
    const told = ends.flatMap(({ acknowledged }) => acknowledged)
    expect(told.filter((receiptId) => !served.has(receiptId))).toEqual([])
    expect(told.length).toBeGreaterThan(20)
    return new Set(ends.flatMap(({ codes }) => codes))
  }

  it('loses and forks nothing when its connections are terminated, 30 times', async () => {
    const ledgers = await replicas(2, freshSchema())
    const codes = await survive(ledgers, async () => {
      for (let i = 0; i < 30; i++) {
        await server.sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'helm-ai-kernel' ORDER BY random() LIMIT 1`,
        )
        await hostClock.sleep((i * 7) % 40)
      }
    })
    expect([...codes]).toEqual(['LEDGER_UNAVAILABLE'])
  })

  it('goes on by itself after the server was stopped at once and started again', async () => {
    const ledgers = await replicas(2, freshSchema())
    const codes = await survive(ledgers, async () => {
      for (let i = 0; i < 3; i++) {
        await hostClock.sleep(100)
        await server.stop('immediate')
        await hostClock.sleep(50)
        expect(ledgers.map((ledger) => ledger.health()?.code)).toEqual([
          'LEDGER_UNAVAILABLE',
          'LEDGER_UNAVAILABLE',
        ])
        await server.start()
        for (const ledger of ledgers) await untilWell(ledger)
      }
    })
    expect([...codes]).toEqual(['LEDGER_UNAVAILABLE'])
  })

  it('opens while the database is away, and is well when it is there', async () => {
    const schema = freshSchema()
    await replicas(1, schema)
    await server.stop('fast')
    const late = await open(schema)
    expect(late.health()?.code).toBe('LEDGER_UNAVAILABLE')
    expect(late.identity).toBeUndefined()
    await server.start()
    await untilWell(late)
    expect(late.identity).toBeDefined()
    expect(await auditedLog(late)).toHaveLength(1)
  })

  describe('when the connection is lost while a batch is committed', () => {
    async function cutAt(fate: 'swallow-answer' | 'never-arrive') {
      const schema = freshSchema()
      await replicas(1, schema)
      const proxy = await startProxy(server.port)
      const ledger = await open(schema, server.urlOf({ port: proxy.port }))
      proxy.next = fate
      const [outcome] = await Promise.allSettled([
        ledger.append([asking('one'), asking('two')], sealer(ledger.identity, hostClock)),
        proxy.cut,
      ])
      await untilWell(ledger)
      const log = await auditedLog(ledger)
      await ledger.close()
      await proxy.end()
      return { outcome, log }
    }

    it('finds it, and answers with its receipts', async () => {
      const { outcome, log } = await cutAt('swallow-answer')
      if (outcome.status !== 'fulfilled') throw outcome.reason
      expect(log.slice(1, 3)).toEqual(outcome.value)
    })

    it('does not find it, says no, and never serves it', async () => {
      const { outcome, log } = await cutAt('never-arrive')
      expect(outcome).toMatchObject({ reason: { code: 'LEDGER_UNAVAILABLE' } })
      const actions = log.flatMap(({ statement }) =>
        statement.kind === 'decision' ? [statement.action] : [],
      )
      expect(actions).not.toContain('one')
      expect(actions).not.toContain('two')
    })
  })

  it('is not served by a replica that stands still in the middle of a batch', async () => {
    const schema = freshSchema()
    const [ledger] = await replicas(1, schema)
    const proxy = await startProxy(server.port)
    const still = await open(schema, server.urlOf({ port: proxy.port }))
    proxy.next = 'freeze'
    const stuck = still.append([asking('stuck')], sealer(still.identity, hostClock))
    const outcome = stuck.catch((error: unknown) => error)
    await proxy.cut
    // The server ends its transaction, and the others go on; one batch may be refused meanwhile.
    if (ledger === undefined) throw new Error('no replica')
    const seal = sealer(ledger.identity, hostClock)
    while (
      await ledger.append([asking('free')], seal).then(
        () => false,
        () => true,
      )
    ) {
      await untilWell(ledger)
    }
    while (still.health() === undefined) await hostClock.sleep(20)
    proxy.thaw()
    await untilWell(still)
    expect(await outcome).toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    expect(await auditedLog(still)).toHaveLength(2)
    await still.close()
    await proxy.end()
  })

  it('tries one connection at a time where each is closed before it is ready', async () => {
    let connections = 0
    const rude = createServer((socket) => {
      connections++
      socket.destroy()
    })
    await new Promise<void>((listening) => rude.listen(0, '127.0.0.1', listening))
    const { port } = rude.address() as AddressInfo
    const ledger = await open(freshSchema(), server.urlOf({ port }))
    expect(ledger.health()).toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    await expect(ledger.read(0, 1)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    await ledger.close()
    await new Promise((closed) => rude.close(closed))
    // Once to write, twice to read, and what was tried again meanwhile.
    expect(connections).toBeLessThan(10)
  })

  it('refuses when another holds the lock too long, and goes on when it is free', async () => {
    const schema = freshSchema()
    const [ledger] = await replicas(1, schema)
    if (ledger === undefined) throw new Error('no replica')
    const holding = server.sql(
      `BEGIN; SELECT 1 FROM ${schema}.tip FOR UPDATE; SELECT pg_sleep(3); COMMIT`,
    )
    await hostClock.sleep(200)
    const seal = sealer(ledger.identity, hostClock)
    await expect(ledger.append([asking('late')], seal)).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
    })
    expect(ledger.health()?.code).toBe('LEDGER_UNAVAILABLE')
    await holding
    await untilWell(ledger)
    await ledger.append([asking('again')], seal)
    expect(await auditedLog(ledger)).toHaveLength(2)
  })
})
