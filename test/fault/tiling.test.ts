import { setImmediate as turn } from 'node:timers/promises'
import type { Disk, Stored } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../support/clock.ts'
import { endingDisk } from '../support/ending-disk.ts'
import { type Fault, faultyDisk } from '../support/faulty-disk.ts'
import { key, ledgerFiles, openOn, sealer, tiled } from '../support/ledger.ts'
import { acme, decision } from '../support/log-entries.ts'
import { type Files, memoryDisk, type Pick } from '../support/memory-disk.ts'

// A segment becomes tiles, and is removed, while receipts are appended: whatever call to the disk is
// the last one, or fails, nothing acknowledged is lost, and the next process makes what is missing.

const many = (n: number) => Array.from({ length: n }, () => decision(acme, null))
/** One batch ends the third segment and begins the fourth; the two before it are tiles. */
const nearlyFull = await ledgerFiles(many(760))
/** One batch makes a state worth keeping. */
const nearlyKept = await ledgerFiles(many(2040), many(2040))

const loseAll: Pick = () => 1

/** Appends two batches, and waits until everything behind them is done. */
async function work(disk: Disk, tell: (receipts: readonly Stored[]) => void): Promise<void> {
  const clock = fakeClock()
  const ledger = await openOn(disk, { clock })
  const seal = sealer(ledger.identity)
  for (const count of [40, 3]) {
    const results = await ledger.append(many(count), seal)
    tell(results.filter((one) => 'entry' in one))
  }
  for (let waited = 0; waited < 20; waited++) {
    clock.advance(1000)
    await turn()
  }
  await ledger.close()
}

/** The calls from the first write of an entry on, by their number. */
async function callsOf(files: Files): Promise<readonly (readonly [number, string])[]> {
  const disk = faultyDisk(memoryDisk(files))
  await work(disk, () => undefined)
  const begun = disk.calls.findIndex((call) => call.startsWith('write ledger/wal'))
  return [...disk.calls.entries()].slice(begun)
}

/** A process that starts on these files has all that was told, and makes the tiles that are missing. */
async function holds(files: Files, told: readonly Stored[], place: string): Promise<void> {
  const disk = memoryDisk(files)
  const ledger = await openOn(disk)
  expect(ledger.health(), place).toBeUndefined()
  const [first] = told
  const found = await ledger.read(first?.logIndex ?? 0, (first?.logIndex ?? 0) + told.length)
  const ids = (receipts: readonly Stored[]) => receipts.map(({ receiptId }) => receiptId)
  expect(ids(found), place).toEqual(ids(told))
  const { size } = await ledger.state()
  await tiled(disk, Math.floor((size - 1) / 256))
  await ledger.close()
  const again = await openOn(disk)
  expect([again.health(), (await again.state()).size], place).toEqual([undefined, size])
  await again.close()
}

describe.each([
  ['a segment becomes a tile', nearlyFull, /./],
  ['a state is kept', nearlyKept, /ledger\/(state|positions)/],
] as const)('while %s', (_, files, of) => {
  it('the process may end in any call to the disk, and the power too', async () => {
    let cuts = 0
    for (const [at, call] of await callsOf(files)) {
      if (!of.test(call)) continue
      const disk = memoryDisk(files)
      const told: Stored[] = []
      let left: readonly Files[] = []
      const ending = endingDisk(disk, at, () => {
        left = [disk.files(), disk.afterPowerCut(loseAll)]
      })
      await Promise.race([ending.ended, work(ending, (receipts) => told.push(...receipts))])
      for (const remains of left) await holds(remains, told, `${at}: ${call}`)
      cuts++
    }
    expect(cuts).toBeGreaterThan(10)
  }, 120_000)

  const kinds: readonly Omit<Fault, 'at'>[] = [
    { code: 'EIO', how: 'before' },
    { code: 'ENOSPC', how: 'half' },
    { code: 'EIO', how: 'dropped' },
  ]

  it.each(kinds)(
    'one call that fails is tried again: $how $code',
    async ({ code, how }) => {
      const behind = /ledger\/(tile|state|positions)|remove ledger\/wal/
      for (const [at, call] of await callsOf(files)) {
        if (!of.test(call) || !behind.test(call)) continue
        if (how === 'half' && !call.startsWith('write')) continue
        if (how === 'dropped' && !call.startsWith('sync')) continue
        const disk = memoryDisk(files)
        const told: Stored[] = []
        const tell = (receipts: readonly Stored[]) => void told.push(...receipts)
        await work(faultyDisk(disk, { at, code, how }), tell)
        expect(told, `${at}: ${call}`).toHaveLength(43)
        for (const left of [disk.files(), disk.afterPowerCut(loseAll)]) {
          await holds(left, told, `${at}: ${call}`)
        }
      }
    },
    120_000,
  )
})

describe('tiles that cannot be made', () => {
  it('are a warning, with growing pauses, and appends go on in segments', async () => {
    const clock = fakeClock()
    const warnings: string[] = []
    const fails = (call: string, path: string) => call === 'write' && path.startsWith('ledger/tile')
    const inner = memoryDisk(nearlyFull)
    const disk = faultyDisk(inner, { at: fails, code: 'ENOSPC', how: 'before' })
    const ledger = await openOn(disk, { clock, warn: (message) => warnings.push(message) })
    const seal = sealer(ledger.identity)
    for (let i = 0; i < 4; i++) {
      await ledger.append(many(256), seal)
      clock.advance(10_000)
      await turn()
    }
    expect(warnings).toEqual([expect.stringMatching(/^full segments are kept.*ENOSPC/)])
    expect([ledger.health(), ledger.warnings()]).toEqual([undefined, warnings])
    expect((await disk.list('ledger/wal')).length).toBeGreaterThan(4)
    const found = await ledger.read(0, 9999)
    expect(found).toHaveLength(761 + 4 * 256)
    disk.mend()
    clock.advance(60_000)
    await tiled(disk, 6)
    expect(ledger.warnings()).toEqual([])
    await ledger.close()
  })

  it('of a segment that is not what was written: the ledger takes nothing more', async () => {
    const disk = memoryDisk(nearlyFull)
    const ledger = await openOn(disk)
    const wal = 'ledger/wal/0000000000000512'
    const file = await disk.open(wal, 'write')
    const [byte = 0] = await file.read(5000, 1)
    await file.write(Uint8Array.of(byte ^ 1), 5000)
    const seal = sealer(ledger.identity)
    await ledger.append(many(40), seal)
    for (let waited = 0; waited < 1000 && ledger.health() === undefined; waited++) await turn()
    expect(ledger.health()?.code).toBe('LEDGER_CORRUPT')
    expect(ledger.health()?.detail).toContain('entries 512 to 767')
    await expect(ledger.append(many(1), seal)).rejects.toMatchObject({ code: 'LEDGER_CORRUPT' })
    expect(await disk.list('ledger/wal')).toContain('0000000000000512')
    await ledger.close()
    expect(key.keyId).toBe((await ledger.state()).key)
  })
})

describe('a tile and a segment that are both there', () => {
  /** As a process leaves them that ended between making the one and removing the other. */
  async function both(): Promise<Files> {
    const disk = memoryDisk(nearlyFull)
    const keeps = { ...disk, remove: () => new Promise<void>(() => undefined) }
    const ledger = await openOn(keeps)
    await ledger.append(many(40), sealer(ledger.identity))
    for (let waited = 0; waited < 100 && !disk.files().has('ledger/tile/entries/002'); waited++) {
      await turn()
    }
    return disk.files()
  }

  it('and agree are one log', async () => {
    const files = await both()
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['ledger/tile/entries/002', 'ledger/wal/0000000000000512']),
    )
    await holds(files, [], 'both')
  })

  it.each(['ledger/tile/entries/002', 'ledger/tile/0/002'])(
    'and do not agree are corruption: %s',
    async (path) => {
      const files = await both()
      const other = files.get(path.replace('002', '001')) ?? new Uint8Array()
      const ledger = await openOn(memoryDisk(new Map(files).set(path, other)))
      expect(ledger.health()).toMatchObject({ code: 'LEDGER_CORRUPT' })
    },
  )
})
