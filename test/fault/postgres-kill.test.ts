import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditedLog,
  hasPostgres,
  openIn,
  startPostgres,
  type TestServer,
} from '../support/postgres.ts'
import { buildProgram, liveAndDie } from '../support/lives.ts'

const kills = Number(process.env['HELM_TEST_KILLS'] ?? 16)

const patience = 60_000 + kills * 2_000

describe.skipIf(!hasPostgres)('replicas of one ledger on PostgreSQL', () => {
  let folder: string
  let program: string
  let server: TestServer
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'helm-postgres-kill-'))
    program = await buildProgram('postgres-appender', folder)
    server = await startPostgres()
  })
  afterAll(async () => {
    await server.end()
    await rm(folder, { recursive: true })
  })

  it.each([2, 4])(
    `%i of them lose and fork nothing, killed ${kills} times`,
    async (count) => {
      const database = `killed_${count}`
      await server.sql(`CREATE DATABASE ${database} OWNER helm`, 'postgres')
      const url = server.urlOf({ database })
      let left = kills
      const told = await Promise.all(
        Array.from({ length: count }, async () => {
          const said: string[] = []
          while (left-- > 0) said.push(...(await liveAndDie(program, url, (left * 29) % 150)))
          return said
        }),
      )
      const ledger = await openIn({ url })
      const served = new Set<string>((await auditedLog(ledger)).map(({ receiptId }) => receiptId))
      await ledger.close()
      expect(told.flat().filter((receiptId) => !served.has(receiptId))).toEqual([])
      expect(told.flat().length).toBeGreaterThan(kills)
    },
    patience,
  )
})
