import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { buildProgram, liveAndDie } from '../support/lives.ts'
import { audited, openOn } from '../support/ledger.ts'

const kills = Number(process.env['HELM_TEST_KILLS'] ?? 50)
/** A ledger is killed so often before the next one: recovery reads all of it every time. */
const killsOfOne = 10

let folder: string
let program: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'helm-kill-'))
  program = await buildProgram('appender', folder)
})
afterAll(() => rm(folder, { recursive: true }))

const patience = 60_000 + kills * 2_000

it(
  `loses nothing acknowledged when a process is killed, ${kills} times`,
  async () => {
    let acknowledged = 0
    for (let kill = 0; kill < kills; kill += killsOfOne) {
      const root = join(folder, String(kill))
      const told: string[] = []
      for (let i = kill; i < Math.min(kills, kill + killsOfOne); i++) {
        told.push(...(await liveAndDie(program, root, (i * 7) % 40)))
      }
      const ledger = await openOn(nodeDisk(root))
      const served = new Set<string>((await audited(ledger)).map(({ receiptId }) => receiptId))
      expect(told.filter((receiptId) => !served.has(receiptId))).toEqual([])
      await ledger.close()
      acknowledged += told.length
    }
    expect(acknowledged).toBeGreaterThan(kills)
  },
  patience,
)
