import fs from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresLedger, PostgresOptions, Remembered } from '@helm-ai-kernel/postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hostClock } from '../../packages/host/src/clock.ts'
import { asking, key, sealer } from '../support/ledger.ts'
import { began } from '../support/log-entries.ts'
import {
  freshSchema,
  hasPostgres,
  openIn,
  startPostgres,
  type TestServer,
} from '../support/postgres.ts'

describe.skipIf(!hasPostgres)('a database that was set back', () => {
  let server: TestServer
  const opened: PostgresLedger[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(async () => {
    for (const ledger of opened.splice(0)) await ledger.close()
  })
  afterAll(() => server.end())

  async function open(
    schema: string,
    more: Partial<PostgresOptions> = {},
  ): Promise<PostgresLedger> {
    const ledger = await openIn(server, { clock: hostClock, schema, ...more })
    opened.push(ledger)
    return ledger
  }

  async function append(ledger: PostgresLedger, ...names: readonly string[]): Promise<void> {
    const drafts = names.map((name) => (name === 'began' ? began(key) : asking(name)))
    await ledger.append(drafts, sealer(ledger.identity, hostClock))
  }

  /** What somebody does who is above every privilege: the log, and all that says how long it was, is cut. */
  async function cutTo(schema: string, size: number, tip: Record<string, unknown>): Promise<void> {
    const scopes = JSON.stringify(tip['scopes'])
    await server.sql(`
      SET session_replication_role = replica;
      DELETE FROM ${schema}.entry WHERE log_index >= ${size};
      DELETE FROM ${schema}.scope;
      INSERT INTO ${schema}.scope SELECT key, value #>> '{}' FROM json_each('${scopes}');
      UPDATE ${schema}.tip SET size = ${size}, edge = '${String(tip['edge'])}',
        time = ${String(tip['time'])}, checkpoint = '${String(tip['checkpoint'])}', checkpoint_size = 0`)
  }

  async function snapshot(schema: string): Promise<Record<string, unknown>> {
    const [row = {}] = await server.sql(`
      SELECT '\\x' || encode(edge, 'hex') AS edge, time, '\\x' || encode(checkpoint, 'hex') AS checkpoint,
        (SELECT json_object_agg(key, state) FROM ${schema}.scope) AS scopes FROM ${schema}.tip`)
    return row
  }

  async function untilFault(ledger: PostgresLedger): Promise<void> {
    while (ledger.health() === undefined) await hostClock.sleep(20)
  }

  async function expectLatched(ledger: PostgresLedger): Promise<void> {
    expect(ledger.health()).toMatchObject({ code: 'LEDGER_ROLLED_BACK' })
    await expect(ledger.append([asking('more')], () => [])).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      message: expect.stringContaining('LEDGER_ROLLED_BACK') as unknown,
    })
  }

  it('is noticed by a replica that has seen more, without traffic, and stays refused', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await append(ledger, 'began', 'one')
    const before = await snapshot(schema)
    await append(ledger, 'two', 'three')
    await cutTo(schema, 2, before)
    await untilFault(ledger)
    await expectLatched(ledger)
    await hostClock.sleep(300)
    await expectLatched(ledger)
  })

  it('is noticed at the next batch, before anything is appended', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await append(ledger, 'began', 'one')
    const before = await snapshot(schema)
    await append(ledger, 'two', 'three')
    await cutTo(schema, 2, before)
    await expect(append(ledger, 'four')).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    await expectLatched(ledger)
    expect(await server.sql(`SELECT 1 FROM ${schema}.entry`)).toHaveLength(2)
  })

  it('is noticed when others have made it longer again', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await append(ledger, 'began', 'one')
    const before = await snapshot(schema)
    await append(ledger, 'two', 'three')
    await cutTo(schema, 2, before)
    const newcomer = await open(schema)
    await append(newcomer, 'other two', 'other three', 'other four')
    expect(newcomer.health()).toBeUndefined()
    await untilFault(ledger)
    await expectLatched(ledger)
  })

  it('is noticed over a restart by the checkpoint that was kept outside', async () => {
    const schema = freshSchema()
    let note: Uint8Array | undefined
    const remembered: Remembered = {
      load: async () => note,
      save: async (newest) => void (note = newest),
    }
    const first = await open(schema, { remembered })
    await append(first, 'began', 'one')
    const before = await snapshot(schema)
    await append(first, 'two', 'three')
    await first.close()
    expect(String(Buffer.from(note ?? []))).toMatch(/\n4\n/)
    const second = await open(schema, { remembered })
    expect(second.health()).toBeUndefined()
    await second.close()

    await cutTo(schema, 2, before)
    await expectLatched(await open(schema, { remembered }))
    const newcomer = await open(schema)
    await append(newcomer, 'other two', 'other three', 'other four')
    await expectLatched(await open(schema, { remembered }))
    await server.sql(`DROP SCHEMA ${schema} CASCADE`)
    await expectLatched(await open(schema, { remembered }))
    expect(await server.sql(`SELECT 1 FROM pg_namespace WHERE nspname = '${schema}'`)).toEqual([])
  })

  it('is noticed when an older copy of its whole folder is put back', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await append(ledger, 'began', 'one')
    await server.stop('fast')
    const [data, copy] = [join(server.folder, 'data'), join(server.folder, 'copy')]
    await fs.cp(data, copy, { recursive: true, preserveTimestamps: true })
    await server.start()
    while (ledger.health() !== undefined) await hostClock.sleep(20)
    await append(ledger, 'two')
    await server.stop('immediate')
    await server.replaceData(copy)
    await server.start()
    while (ledger.health()?.code !== 'LEDGER_ROLLED_BACK') await hostClock.sleep(20)
    await expectLatched(ledger)
  })
})
