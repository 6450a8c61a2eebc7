import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { watchDiskSpace } from '../../packages/host/src/disk-space.ts'
import { fakeClock } from '../support/clock.ts'
import { signedBundle } from '../support/kernel.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { mountTmpfs, type Tmpfs, whyNoTmpfs } from '../support/tmpfs.ts'

// A whole server on a small file system that is filled while it works (design 7: reliability).

const missing = whyNoTmpfs()
if (missing !== undefined) console.log(`a full disk: skipped, ${missing}`)

describe.skipIf(missing !== undefined)('a disk that is full', () => {
  let disk: Tmpfs
  let server: TestServer
  beforeEach(async () => {
    disk = await mountTmpfs(8)
    const policy = join(disk.folder, 'policy')
    await mkdir(policy)
    await writeFile(join(policy, 'policy.bundle'), signedBundle(7).bytes)
    server = await startServer(join(disk.folder, 'data'), { HELM_POLICY_PATH: policy })
    await vi.waitFor(async () => expect(await server.readyz()).toMatchObject({ ready: true }))
  })
  afterEach(async () => {
    await server.close()
    await disk.unmount()
  })

  it('is told of while it is only nearly full', async () => {
    const lines: string[] = []
    const log = { warn: (line: string) => void lines.push(line) }
    const clock = fakeClock()
    const ended = new AbortController()
    const space = watchDiskSpace(disk.folder, clock, log, ended.signal)
    await vi.waitFor(() => expect(space.available()).toBeGreaterThan(0))
    expect(space.warning()).toBeUndefined()

    await disk.fill(256 * 1024)
    await vi.waitFor(() => {
      clock.advance(30_000)
      expect(space.warning()).toMatchObject({ check: 'ledger', code: 'DISK_LOW' })
    })
    expect(space.available()).toBeLessThanOrEqual(256 * 1024)
    clock.advance(30_000)
    expect(lines).toEqual([
      expect.stringMatching(/^\d\.\d % of the data directory's disk is free$/),
    ])

    await disk.free()
    await vi.waitFor(() => {
      clock.advance(30_000)
      expect(space.warning()).toBeUndefined()
    })
    ended.abort()
  })

  it('allows nothing, is not ready, and is back by itself when there is room', async () => {
    const allowed: string[] = []
    const ask = async () => {
      const decided = await server.evaluate()
      if (decided.verdict === 'ALLOW') allowed.push(decided.receipt_id)
      return decided
    }
    expect(await ask()).toMatchObject({ verdict: 'ALLOW' })

    await disk.fill()
    // Some blocks that the log has already are not full yet.
    const refused = await vi.waitFor(
      async () => {
        const answers = await Promise.all(Array.from({ length: 32 }, ask))
        const denied = answers.filter(({ verdict }) => verdict !== 'ALLOW')
        expect(denied.length).toBeGreaterThan(0)
        return denied
      },
      { timeout: 20_000 },
    )
    for (const answer of refused) {
      expect(answer).toMatchObject({ verdict: 'DENY', reason_code: 'LEDGER_FULL' })
      expect(answer).not.toHaveProperty('receipt_id')
    }
    const notReady = { http: 503, reasons: [{ check: 'ledger', code: 'LEDGER_FULL' }] }
    await vi.waitFor(async () => expect(await server.readyz()).toMatchObject(notReady), {
      timeout: 1000,
    })

    await disk.free()
    await vi.waitFor(async () => expect(await server.readyz()).toMatchObject({ ready: true }), {
      timeout: 5000,
    })
    expect(await ask()).toMatchObject({ verdict: 'ALLOW' })
    for (const id of allowed) expect(await server.receipt(id)).toMatchObject({ receipt_id: id })
  })
})
