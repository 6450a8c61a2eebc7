import { setImmediate as turn } from 'node:timers/promises'
import {
  type Disk,
  type Draft,
  isKernelError,
  type Ledger,
  type Stored,
} from '@helm-ai-kernel/core'
import { openCheckpoint } from '@helm-ai-kernel/core/log'
import { describe, expect, it } from 'vitest'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { readTip } from '../../packages/ledger/src/tip.ts'
import { fakeClock } from '../support/clock.ts'
import { faultyDisk } from '../support/faulty-disk.ts'
import { append, audited, key, ledgerFiles, openOn, sealer } from '../support/ledger.ts'
import { acme, activation, began, decision, signerOf } from '../support/log-entries.ts'
import { digests, diskError, memoryDisk } from '../support/memory-disk.ts'
import { memoryLock } from '../support/memory-lock.ts'
import { smallDisk } from '../support/small-disk.ts'

const many = (n: number) => Array.from({ length: n }, () => decision(acme, null))

async function appendAll(ledger: Ledger, drafts: readonly Draft[]): Promise<void> {
  await ledger.append(drafts, sealer(ledger.identity))
}

/** The code and the message of what a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return isKernelError(error) ? `${error.code}: ${error.message}` : String(error)
  }
  return 'it did not fail'
}

async function sizeOf(ledger: Ledger): Promise<number> {
  const log = { origin: ledger.identity?.origin ?? '', publicKey: key.log.publicKey }
  return openCheckpoint((await ledger.checkpoint()) ?? new Uint8Array(), log, crypto).size
}

describe('a new ledger', () => {
  it('is begun aloud, with a checkpoint of nothing', async () => {
    const warnings: string[] = []
    const ledger = await openOn(memoryDisk(), { warn: (message) => warnings.push(message) })
    expect(warnings).toEqual([expect.stringContaining('a new ledger was begun')])
    expect(await sizeOf(ledger)).toBe(0)
    expect(ledger.identity?.origin).toMatch(/^helm-ai-kernel\.local\/[0-9a-f]{16}$/)
    expect(ledger.identity?.ledgerId).toMatch(/^[0-9a-f]{32}$/)
  })

  it('is not begun where one must be: it is missing, and nothing is written', async () => {
    const disk = memoryDisk()
    const ledger = await openOn(disk, { init: 'never' })
    expect(ledger.health()?.code).toBe('LEDGER_MISSING')
    expect(ledger.identity).toBeUndefined()
    expect(await failure(ledger.append([began(key)], () => []))).toMatch(
      /^LEDGER_UNAVAILABLE: LEDGER_MISSING: .*mount/,
    )
    await ledger.close()
    expect(disk.files().size).toBe(0)
  })

  it('keeps the origin that it was given, for ever', async () => {
    const disk = memoryDisk()
    await (await openOn(disk, { origin: 'logs.example/a' })).close()
    expect((await openOn(disk)).identity?.origin).toBe('logs.example/a')
    expect(await failure(openOn(disk, { origin: 'logs.example/b' }))).toMatch(
      /^CONFIG_INVALID: .*logs\.example\/a, not logs\.example\/b.*HELM_LOG_ORIGIN/,
    )
  })

  it.each(['EACCES', 'ENOSPC'] as const)('that cannot be written says why: %s', async (code) => {
    const lock = memoryLock()
    const disk = faultyDisk(memoryDisk(), { at: (call) => call === 'write', code, how: 'before' })
    const message = await failure(openOn(disk, { lock }))
    expect(message).toContain(`LEDGER_UNAVAILABLE: the data directory cannot be used: ${code}`)
    // It gave the lock back.
    await openOn(memoryDisk(), { lock })
  })

  it('in a place that is a file says so', async () => {
    const disk = nodeDisk(new URL(import.meta.url).pathname)
    expect(await failure(openOn(disk))).toContain('a file is where a folder must be')
  })
})

describe('one writer', () => {
  const who = { pid: 4711, host: 'pod-a', since: '2026-11-22T06:00:00.000Z' }

  it('has the ledger: a second is told who', async () => {
    const lock = memoryLock()
    const disk = memoryDisk()
    const first = await openOn(disk, { lock, who })
    expect(await failure(openOn(disk, { lock }))).toMatch(
      /^LEDGER_LOCKED: .*process 4711 on pod-a since 2026-11-22T06:00:00.000Z; stop/,
    )
    await first.close()
    await openOn(disk, { lock })
  })

  it('that lost its lock writes nothing more, whatever happens', async () => {
    const lock = memoryLock()
    const disk = memoryDisk()
    const clock = fakeClock()
    const ledger = await openOn(disk, { lock, clock })
    await append(ledger, began(key))
    await turn()
    await append(ledger, decision(acme, null))
    const before = digests(disk.files())
    lock.steal()
    expect(await failure(append(ledger, decision(acme, null)))).toContain('took the lock')
    clock.advance(60_000)
    await turn()
    expect(ledger.health()).toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    expect(await failure(append(ledger, decision(acme, null)))).toContain('LEDGER_UNAVAILABLE')
    expect(await failure(ledger.publish())).toContain('LEDGER_LOCKED')
    await ledger.close()
    expect(digests(disk.files())).toEqual(before)
  })

  it('that finds another one’s bytes in its segment writes nothing more', async () => {
    const disk = memoryDisk()
    const ledger = await openOn(disk)
    await append(ledger, began(key))
    const intruder = await disk.open('ledger/wal/0000000000000000', 'write')
    await intruder.write(Uint8Array.of(1), await intruder.size())
    const size = await intruder.size()
    expect(await failure(append(ledger, decision(acme, null)))).toContain(
      'another one writes there',
    )
    await ledger.close()
    expect(await intruder.size()).toBe(size)
  })
})

describe('appending', () => {
  it('shares one sync among many callers', async () => {
    const disk = faultyDisk(memoryDisk())
    const ledger = await openOn(disk)
    await append(ledger, began(key))
    const before = disk.calls.length
    await Promise.all(many(64).map((draft) => append(ledger, draft)))
    const syncs = disk.calls.slice(before).filter((call) => call.startsWith('sync ledger/wal'))
    expect(syncs.length).toBeLessThanOrEqual(2)
  })

  it('begins a segment at each multiple of 256, also in the middle of a batch', async () => {
    const disk = faultyDisk(memoryDisk())
    const ledger = await openOn(disk)
    await appendAll(ledger, [began(key), ...many(99)])
    await appendAll(ledger, many(156))
    expect(await disk.list('ledger/wal')).toEqual(['0000000000000000'])
    await appendAll(ledger, many(300))
    const begun = disk.calls.filter((call) => call.startsWith('open ledger/wal'))
    expect([...new Set(begun)].sort()).toEqual([
      'open ledger/wal/0000000000000000',
      'open ledger/wal/0000000000000256',
      'open ledger/wal/0000000000000512',
    ])
    await ledger.close()
    expect((await audited(await openOn(disk))).length).toBe(556)
  })

  it('is refused once the ledger is closed', async () => {
    const ledger = await openOn(memoryDisk())
    const identity = ledger.identity
    const last = ledger.append([began(key)], sealer(identity))
    const closing = ledger.close()
    expect(await failure(ledger.append([began(key)], sealer(identity)))).toContain('closed')
    expect(await last).toHaveLength(1)
    await closing
  })
})

describe('reading', () => {
  it('reaches receipts that are long out of memory, by range, by seq and by id', async () => {
    const ledger = await openOn(memoryDisk(await ledgerFiles(many(2200))))
    const [old] = await ledger.read(7, 8)
    if (old === undefined) throw new Error('unreachable')
    const one = async (query: object) =>
      (await ledger.find({ scope: acme, limit: 1, ...query })).receipts[0]
    expect([old.logIndex, old.statement.seq]).toEqual([7, 7])
    expect(await one({ receiptId: old.receiptId })).toEqual(old)
    expect(await one({ afterSeq: old.statement.seq - 1 })).toEqual(old)
  })
})

describe('the checkpoint', () => {
  const published = (calls: readonly string[]) =>
    calls.filter((call) => call === 'rename ledger/checkpoint').length

  it('is published at most once in an interval, and at close', async () => {
    const clock = fakeClock()
    const disk = faultyDisk(memoryDisk())
    const ledger = await openOn(disk, { clock, checkpointInterval: 1000 })
    const before = published(disk.calls)
    const seen: unknown[] = []
    for (const ms of [0, 400, 400, 400]) {
      clock.advance(ms)
      await append(ledger, seen.length === 0 ? began(key) : decision(acme, null))
      await turn()
      seen.push([published(disk.calls) - before, await sizeOf(ledger)])
    }
    await ledger.close()
    seen.push([published(disk.calls) - before, await sizeOf(ledger)])
    expect(seen).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 3],
      [3, 4],
    ])
  })

  it('is published on demand, and not again when nothing was added', async () => {
    const disk = faultyDisk(memoryDisk())
    const ledger = await openOn(disk, { checkpointInterval: 1e9 })
    await append(ledger, began(key))
    await append(ledger, decision(acme, null))
    await ledger.publish()
    expect(await sizeOf(ledger)).toBe(2)
    const before = published(disk.calls)
    await ledger.publish()
    expect(published(disk.calls)).toBe(before)
  })

  it('is not published by whoever was given another key, so that the right one finds it as it was', async () => {
    const disk = memoryDisk()
    const ledger = await openOn(disk, { checkpointInterval: 1e9 })
    await append(ledger, began(key))
    await append(ledger, decision(acme, null))
    // As a power cut leaves it: entries that no checkpoint covers yet.
    const files = disk.files()
    await ledger.close()

    const mistaken = memoryDisk(files)
    const stranger = await openOn(mistaken, { log: signerOf(2).log })
    expect(stranger.health()).toBeUndefined()
    await stranger.publish()
    await stranger.close()

    const again = await openOn(memoryDisk(mistaken.files()))
    expect(again.health()).toBeUndefined()
    await again.publish()
    expect(await sizeOf(again)).toBe(2)
  })

  it('that cannot be written is tried again, with one warning, and stops no receipt', async () => {
    const clock = fakeClock()
    const warnings: string[] = []
    const isCheckpoint = (call: string, path: string) =>
      call === 'write' && path === 'ledger/checkpoint.tmp'
    const files = await ledgerFiles()
    const disk = faultyDisk(memoryDisk(files), { at: isCheckpoint, code: 'EIO', how: 'before' })
    const ledger = await openOn(disk, { clock, warn: (message) => warnings.push(message) })
    for (let i = 0; i < 3; i++) {
      await append(ledger, decision(acme, null))
      clock.advance(1000)
      await turn()
    }
    expect(warnings).toEqual([expect.stringContaining('the checkpoint is not published')])
    expect([ledger.health(), await sizeOf(ledger)]).toEqual([undefined, 1])
    disk.mend()
    clock.advance(1000)
    await turn()
    expect(await sizeOf(ledger)).toBe(4)
  })
})

describe('the tip', () => {
  it('covers all but the newest batch, in two slots written in turn', async () => {
    const disk = memoryDisk()
    const ledger = await openOn(disk)
    await append(ledger, began(key))
    for (let size = 2; size < 6; size++) {
      await append(ledger, decision(acme, null))
      const heads = (await readTip(disk)).map((head) => head?.claim.size)
      expect(heads.sort()).toEqual([size - 2, size - 1])
    }
  })
})

describe('a disk that fails', () => {
  it('lets the ledger go on in a segment of its own, with nothing of what was refused', async () => {
    let failing = false
    const failsOnce = (call: string, path: string) => {
      const fails = failing && call === 'sync' && path.startsWith('ledger/wal')
      failing &&= !fails
      return fails
    }
    const disk = faultyDisk(memoryDisk(), { at: failsOnce, code: 'EIO', how: 'before' })
    const ledger = await openOn(disk)
    await appendAll(ledger, [began(key), decision(acme, null)])
    failing = true
    expect(await failure(append(ledger, activation(acme, 9)))).toMatch(/^LEDGER_UNAVAILABLE: .*EIO/)

    expect(ledger.health()).toBeUndefined()
    expect((await ledger.state()).scope(acme)).toMatchObject({ seq: 1, signed: undefined })
    const { logIndex, statement } = await append(ledger, decision(acme, null))
    expect([logIndex, statement.seq]).toEqual([2, 2])
    expect(await disk.list('ledger/wal')).toEqual(['0000000000000000', '0000000000000002'])
    const receipts = await audited(ledger)
    await ledger.close()
    expect(await audited(await openOn(disk))).toEqual(receipts)
  })

  it('is repaired only when nothing is under way on it any more', async () => {
    const inner = memoryDisk()
    const order: string[] = []
    let slow: Promise<void> | undefined
    const disk: Disk = {
      ...inner,
      list(path) {
        order.push('repair')
        return inner.list(path)
      },
      async open(path, mode) {
        const file = await inner.open(path, mode)
        return {
          ...file,
          async write(bytes, offset) {
            if (slow !== undefined && path === 'ledger/tip') throw diskError('EIO', path)
            await slow
            await file.write(bytes, offset)
            if (path.startsWith('ledger/wal')) order.push('written')
          },
        }
      },
    }
    const ledger = await openOn(disk)
    await append(ledger, began(key))
    order.length = 0
    slow = turn()
    const refused = failure(append(ledger, decision(acme, null)))
    await slow
    slow = undefined
    expect(await refused).toContain('EIO')
    expect(order.slice(0, 2)).toEqual(['written', 'repair'])
  })

  it('is tried again with growing pauses, and then the ledger is well', async () => {
    const clock = fakeClock()
    let failing = false
    const fails = (call: string) => failing && call === 'sync'
    const disk = faultyDisk(memoryDisk(), { at: fails, code: 'EIO', how: 'before' })
    const ledger = await openOn(disk, { clock })
    await append(ledger, began(key))
    failing = true
    await failure(append(ledger, decision(acme, null)))
    const cuts = () => disk.calls.filter((call) => call === 'list ledger/wal').length
    const triedAfter: number[] = []
    for (let ms = 100; ms <= 8000; ms += 100) {
      const before = cuts()
      clock.advance(100)
      await turn()
      if (cuts() > before) triedAfter.push(ms)
    }
    expect(triedAfter).toEqual([100, 300, 700, 1500, 3100, 5100, 7100])
    expect(ledger.health()).toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    disk.mend()
    clock.advance(2000)
    await turn()
    expect(ledger.health()).toBeUndefined()
    expect(await append(ledger, decision(acme, null))).toMatchObject({ logIndex: 1 })
  })
})

describe('a disk that is full', () => {
  const reserve = 1024 * 1024

  /** A ledger on a disk that has no room beyond what it has now. */
  async function full() {
    const inner = memoryDisk()
    const space = { bytes: Infinity }
    const clock = fakeClock()
    const ledger = await openOn(smallDisk(inner, space), { clock, checkpointInterval: 1e9 })
    await append(ledger, began(key))
    space.bytes = inner.used() + 100
    return { inner, space, clock, ledger }
  }

  it('refuses with LEDGER_FULL, and keeps its reserve for what matters most', async () => {
    const { ledger, inner } = await full()
    expect(await failure(append(ledger, decision(acme, null)))).toMatch(/^LEDGER_FULL: .*make room/)
    expect(ledger.health()?.code).toBe('LEDGER_FULL')
    const recorded: Stored[] = []
    for (const epoch of [1, 2, 3]) recorded.push(await append(ledger, activation(acme, epoch)))
    expect(await failure(append(ledger, decision(acme, null)))).toContain('LEDGER_FULL')
    const mixed = ledger.append([activation(acme, 4), decision(acme, null)], () => [])
    expect(await failure(mixed)).toContain('LEDGER_FULL')
    await ledger.close()

    const next = await openOn(memoryDisk(inner.files()))
    expect((await audited(next)).slice(1)).toEqual(recorded)
  })

  it('is no more once there is room for reserve and receipts, within seconds', async () => {
    const { ledger, space, clock, inner } = await full()
    await failure(append(ledger, decision(acme, null)))
    const wait = async (ms: number) => {
      for (let i = 0; i < ms; i += 100) {
        clock.advance(100)
        await turn()
      }
    }
    await wait(5000)
    expect(ledger.health()?.code).toBe('LEDGER_FULL')
    // Room for the reserve alone is what it had: that is not enough.
    space.bytes += reserve / 2
    await wait(5000)
    expect(ledger.health()?.code).toBe('LEDGER_FULL')
    space.bytes += reserve
    await wait(5000)
    expect(ledger.health()).toBeUndefined()
    await append(ledger, decision(acme, null))
    expect(inner.files().get('ledger/reserve')?.length).toBe(reserve)
  })

  it('at start takes nothing until there is room', async () => {
    const files = new Map(await ledgerFiles())
    files.delete('ledger/reserve')
    const inner = memoryDisk(files)
    const space = { bytes: inner.used() + 1000 }
    const clock = fakeClock()
    const ledger = await openOn(smallDisk(inner, space), { clock })
    expect(ledger.health()?.code).toBe('LEDGER_FULL')
    expect(await ledger.read(0, 1)).toHaveLength(1)
    space.bytes = Infinity
    clock.advance(1000)
    await turn()
    expect(ledger.health()).toBeUndefined()
  })
})
