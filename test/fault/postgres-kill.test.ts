import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditedLog,
  hasPostgres,
  openIn,
  startPostgres,
  type TestServer,
} from '../support/postgres.ts'

const kills = Number(process.env['HELM_TEST_KILLS'] ?? 16)

describe.skipIf(!hasPostgres)('replicas of one ledger on PostgreSQL', () => {
  let folder: string
  let server: TestServer
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'helm-postgres-kill-'))
    await build({
      entryPoints: [fileURLToPath(new URL('../support/postgres-appender.ts', import.meta.url))],
      outfile: join(folder, 'appender.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['@helm/source'],
      external: ['vitest'],
    })
    server = await startPostgres()
  })
  afterAll(async () => {
    await server.end()
    await rm(folder, { recursive: true })
  })

  /** Starts a process that appends, kills it some time after it is ready, and gives what it said. */
  async function liveAndDie(url: string, ms: number): Promise<readonly string[]> {
    const child: ChildProcess = spawn(process.execPath, [join(folder, 'appender.mjs'), url])
    let said = ''
    let complained = ''
    child.stderr?.on('data', (chunk) => (complained += String(chunk)))
    child.stdout?.on('data', (chunk) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), ms)
      said += String(chunk)
    })
    const code = await new Promise((done) => child.on('close', done))
    if (code !== null) throw new Error(`the process ended by itself: ${complained}`)
    return said.match(/rcpt-[0-9a-f]{64}(?=\n)/g) ?? []
  }

  it.each([2, 4])(`%i of them lose and fork nothing, killed ${kills} times`, async (count) => {
    const database = `killed_${count}`
    await server.sql(`CREATE DATABASE ${database} OWNER helm`, 'postgres')
    const url = server.urlOf({ database })
    let left = kills
    const told = await Promise.all(
      Array.from({ length: count }, async () => {
        const said: string[] = []
        while (left-- > 0) said.push(...(await liveAndDie(url, (left * 29) % 150)))
        return said
      }),
    )
    const ledger = await openIn({ url })
    const served = new Set<string>((await auditedLog(ledger)).map(({ receiptId }) => receiptId))
    await ledger.close()
    expect(told.flat().filter((receiptId) => !served.has(receiptId))).toEqual([])
    expect(told.flat().length).toBeGreaterThan(kills)
  })
})
