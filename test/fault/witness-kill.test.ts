import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { claimedCheckpoint, openNote, parseVerifierKey } from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { cliBench } from '../support/cli.ts'
import { keys } from '../support/http.ts'
import { type LogServer, logServer, logVkey } from '../support/log-server.ts'
import { bin, endAll } from '../support/process.ts'
import { whyNoStrace } from '../support/strace.ts'

// A witness that is killed keeps what it has seen: at each system call that touches its files, as strace
// kills it (the program is the built one).

const bench = cliBench()
let server: LogServer
beforeAll(async () => {
  bench.write('witness.key', '4d'.repeat(32))
  server = await logServer()
  await server.decide(40)
})
afterEach(endAll)
afterAll(() => {
  server.close()
  bench.remove()
})

const missing = whyNoStrace()
if (missing !== undefined) console.log(`kills of a witness: skipped, ${missing}`)

const args = () => [
  ...['ledger', 'witness', '--once', '--url', server.url, '--log-key', logVkey],
  ...['--name', 'witness.example/w1', '--key-file', 'witness.key'],
  ...['--state', 'seen.note', '--out', 'public.note'],
]
const env = { HELM_API_KEY: keys.reader }

/** Runs a witness that is killed at the call with this number of those that change files. */
function lookKilledAt(at: number): Promise<boolean> {
  const calls = 'rename,fsync,unlink'
  const filter = ['-e', `trace=${calls}`]
  const kill = ['-e', `inject=${calls}:signal=KILL:when=${at}`]
  const command = [process.execPath, bin, ...args()]
  return new Promise((resolve) => {
    // One thread for the disk: strace counts the calls of each.
    const traced = ['-f', '-qq', '-o', '/dev/null', ...filter, ...kill, ...command]
    const options = { cwd: bench.folder, env: { ...process.env, ...env, UV_THREADPOOL_SIZE: '1' } }
    execFile('strace', traced, options, (error) => resolve(error?.signal === 'SIGKILL'))
  })
}

/** The size of a kept note, which must be the witness's own; undefined when there is none. */
function sizeIn(file: string, vkey: string): number | undefined {
  if (!existsSync(join(bench.folder, file))) return undefined
  const note = bench.read(file)
  expect(openNote(note, [parseVerifierKey(vkey, crypto)], crypto).verified).toHaveLength(1)
  return claimedCheckpoint(note).size
}

describe.skipIf(missing !== undefined)('a witness that is killed', () => {
  it('at any call has the old head or the new one, and goes on from it', async () => {
    await server.log.publish(5)
    const told = await bench.json(args(), { env })
    const vkey = String(told['witness'])
    const table: string[] = []
    let size = 5
    for (let at = 1, killed = true; killed; at++) {
      expect(at).toBeLessThan(60)
      const before = sizeIn('seen.note', vkey) ?? 0
      size = Math.min(size + 1, 40)
      await server.log.publish(size)
      killed = await lookKilledAt(at)
      const state = sizeIn('seen.note', vkey) ?? 0
      const published = sizeIn('public.note', vkey) ?? 0
      expect([before, size]).toContain(state)
      // INVARIANT: nobody gets what the witness could forget.
      expect(published).toBeLessThanOrEqual(state)
      table.push(`${at}: ${killed ? 'killed' : 'done'}, state ${before} to ${state} of ${size}`)
    }
    console.log(table.join('\n'))
    expect(table.length).toBeGreaterThan(4)
    const { code } = await bench.run(args(), { env })
    expect(code).toBe(0)
    expect(sizeIn('seen.note', vkey)).toBe(size)
  }, 120_000)
})
