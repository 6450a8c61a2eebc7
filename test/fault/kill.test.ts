import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { audited, openOn } from '../support/ledger.ts'

const kills = Number(process.env['HELM_TEST_KILLS'] ?? 50)
/** A ledger is killed so often before the next one: recovery reads all of it every time. */
const killsOfOne = 10

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'helm-kill-'))
  await build({
    entryPoints: [fileURLToPath(new URL('../support/appender.ts', import.meta.url))],
    outfile: join(folder, 'appender.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@helm/source'],
    external: ['vitest'],
  })
})
afterAll(() => rm(folder, { recursive: true }))

/** Starts a process that appends, kills it some time after it is ready, and gives what it said. */
async function liveAndDie(root: string, ms: number): Promise<readonly string[]> {
  const child: ChildProcess = spawn(process.execPath, [join(folder, 'appender.mjs'), root])
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

it(`loses nothing acknowledged when a process is killed, ${kills} times`, async () => {
  let acknowledged = 0
  for (let kill = 0; kill < kills; kill += killsOfOne) {
    const root = join(folder, String(kill))
    const told: string[] = []
    for (let i = kill; i < Math.min(kills, kill + killsOfOne); i++) {
      told.push(...(await liveAndDie(root, (i * 7) % 40)))
    }
    const ledger = await openOn(nodeDisk(root))
    const served = new Set<string>((await audited(ledger)).map(({ receiptId }) => receiptId))
    expect(told.filter((receiptId) => !served.has(receiptId))).toEqual([])
    await ledger.close()
    acknowledged += told.length
  }
  expect(acknowledged).toBeGreaterThan(kills)
})
