import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { audited, openOn } from '../support/ledger.ts'
import { whyNoStrace } from '../support/strace.ts'
import { buildProgram } from '../support/lives.ts'

// The same faults as disk-calls.test.ts injects through the Disk port, below Node: the kernel's system
// calls fail one after another, as strace makes them (design 7: reliability).

/** Enough for a segment to fill, and for its tiles. */
const receipts = 320

/** Which calls of each kind fail in turn, the first being 1, and how. */
const faults = [
  { call: 'fdatasync', errors: ['EIO', 'ENOSPC'], at: [1, 2, 4, 8, 16, 32, 64] },
  { call: 'fsync', errors: ['EIO'], at: [1, 2, 3, 4, 6, 8, 12] },
  { call: 'pwrite64', errors: ['EIO', 'ENOSPC'], at: [1, 2, 4, 8, 16, 32, 64] },
  { call: 'ftruncate', errors: ['EIO'], at: [1] },
  { call: 'rename', errors: ['EIO', 'ENOSPC'], at: [1, 2, 3, 4] },
  { call: 'unlink', errors: ['EIO'], at: [1] },
] as const

interface Life {
  readonly said: string
  /** Whether there were so many calls that the one to fail was among them. */
  readonly injected: boolean
}

const missing = whyNoStrace()
if (missing !== undefined) console.log(`failing system calls: skipped, ${missing}`)

describe.skipIf(missing !== undefined)('system calls that fail', () => {
  let folder: string
  let program: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'helm-calls-'))
    program = await buildProgram('bounded-appender', folder)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it.each(faults)('$call: recorded or refused, and the ledger verifies', async (fault) => {
    const table: string[] = []
    for (const error of fault.errors) {
      for (const at of fault.at) {
        const root = join(folder, `${fault.call}-${error}-${at}`)
        const injection = `${fault.call}:error=${error}:when=${at}`
        const { said, injected } = await appendUnder(injection, root)
        expect(injected, injection).toBe(true)
        const told = (what: string) =>
          [...said.matchAll(new RegExp(`^${what} (\\S+)`, 'gm'))].map(([, action]) => action)
        const recorded = told('recorded')
        const refused = told('refused')
        expect(said).toMatch(/^(closed|not opened LEDGER_UNAVAILABLE|not opened LEDGER_FULL)$/m)
        if (/^closed$/m.test(said)) expect(recorded.length + refused.length).toBe(receipts)
        const found = await actionsIn(root)
        expect(recorded.filter((action) => action === undefined || !found.has(action))).toEqual([])
        // The disk works again when the call has failed once, so what was refused was cut away.
        expect(refused.filter((action) => action !== undefined && found.has(action))).toEqual([])
        table.push(`${error} at ${at}: ${recorded.length} recorded, ${refused.length} refused`)
        await rm(root, { recursive: true, force: true })
      }
    }
    console.log(`${fault.call}\n  ${table.join('\n  ')}\n  lost 0, forks 0`)
  })

  /** Runs the appender, of which one call fails, and gives what it said. */
  function appendUnder(injection: string, root: string): Promise<Life> {
    const command = [process.execPath, program, root, String(receipts)]
    const calls = join(folder, 'calls')
    const [call = ''] = injection.split(':')
    const tracing = ['-f', '--seccomp-bpf', '-qq', '-o', calls]
    const filters = ['-e', `trace=${call}`, '-e', `inject=${injection}`]
    // One thread for the disk: its calls are counted from the first on.
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
    return new Promise((resolve, reject) => {
      execFile('strace', [...tracing, ...filters, ...command], { env }, (error, said, stderr) => {
        if (error !== null) reject(new Error(`${injection}: ${stderr}`))
        else resolve({ said, injected: readFileSync(calls, 'utf8').includes('(INJECTED)') })
      })
    })
  }

  /** The actions of all receipts after the next start, which finds nothing wrong. */
  async function actionsIn(root: string): Promise<ReadonlySet<string>> {
    const ledger = await openOn(nodeDisk(root))
    const statements = (await audited(ledger)).map(({ statement }) => statement)
    await ledger.close()
    return new Set(statements.flatMap((one) => (one.kind === 'decision' ? [one.action] : [])))
  }
})
