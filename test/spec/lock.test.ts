import { link, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Held, Holder } from '@helm-ai-kernel/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { socketLock } from '../../packages/host/src/socket-lock.ts'

const who: Holder = { pid: 4711, host: 'pod-a', since: '2026-11-22T06:00:00.000Z' }

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'helm-lock-'))
})
afterEach(() => rm(root, { recursive: true }))

async function take(folder = root): Promise<Held> {
  const answer = await socketLock(folder).acquire('lock', who)
  if ('heldBy' in answer) throw new Error(`held by ${answer.heldBy.pid}`)
  return answer
}

/** A socket without a process behind it, as `kill -9` leaves one. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((done) => void server.listen(`${path}.x`, done))
  await link(`${path}.x`, path)
  await new Promise((done) => server.close(done))
}

describe('a socket lock', () => {
  it('is one process’s; others are told whose', async () => {
    const held = await take()
    expect(await socketLock(root).acquire('lock', { ...who, pid: 1 })).toEqual({ heldBy: who })
    await held.check()
    await held.release()
    await (await take()).release()
    expect(await readdir(root)).toEqual([])
  })

  it('is for its owner alone', async () => {
    const held = await take()
    const { mode } = await stat(join(root, 'lock'))
    expect((mode & 0o777).toString(8)).toBe('600')
    await held.release()
  })

  it('of a process that is gone is taken over', async () => {
    await leaveStale(join(root, 'lock'))
    const held = await take()
    await held.check()
    await held.release()
  })

  it('goes to exactly one of many who ask at once, stale or not', async () => {
    for (const stale of [false, true]) {
      if (stale) await leaveStale(join(root, 'lock'))
      const asked = Array.from({ length: 20 }, (_, pid) =>
        socketLock(root).acquire('lock', { ...who, pid }),
      )
      const answers = await Promise.all(asked)
      const owners = answers.filter((answer): answer is Held => !('heldBy' in answer))
      expect(owners).toHaveLength(1)
      for (const owner of owners) {
        await owner.check()
        await owner.release()
      }
    }
  })

  it('that somebody removed or replaced is known to be lost', async () => {
    const held = await take()
    await rename(join(root, 'lock'), join(root, 'moved'))
    await expect(held.check()).rejects.toMatchObject({ code: 'LEDGER_LOCKED' })
    const other = await take()
    await expect(held.check()).rejects.toThrow('another one took the data directory')
    await held.release()
    // The loser left the winner's lock alone.
    await other.check()
    await other.release()
  })

  it('is not made of a file that is no socket', async () => {
    await writeFile(join(root, 'lock'), 'mine')
    await expect(take()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(take()).rejects.toThrow('it is no socket; move it away')
    expect(await readdir(root)).toEqual(['lock'])
  })

  it.skipIf(process.platform !== 'linux')('works under a path too long for a socket', async () => {
    const folder = join(root, 'a'.repeat(60), 'b'.repeat(60))
    const held = await take(folder)
    expect(await readdir(folder)).toEqual(['lock'])
    expect(await socketLock(folder).acquire('lock', who)).toEqual({ heldBy: who })
    await held.check()
    await held.release()
    await (await take(folder)).release()
  })
})
