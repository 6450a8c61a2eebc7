import { setImmediate as turn } from 'node:timers/promises'
import type { Disk, Stored } from '@helm-ai-kernel/core'
import { expect, it } from 'vitest'
import { fakeClock } from '../support/clock.ts'
import { append, asking, audited, key, ledgerFiles, openOn, sealer } from '../support/ledger.ts'
import { acme, began, decision } from '../support/log-entries.ts'
import { digests, memoryDisk, type Pick } from '../support/memory-disk.ts'
import { endingDisk } from '../support/ending-disk.ts'
import { faultyDisk } from '../support/faulty-disk.ts'

const seeds = Number(process.env['HELM_TEST_SEEDS'] ?? 80)
const lives = 4

/** Numbers that look random and are the same in every run (mulberry32). */
function picker(seed: number): Pick {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Appends in groups of random sizes, for ever; tells of each receipt that is acknowledged. */
async function work(disk: Disk, pick: Pick, tell: (receipt: Stored) => void): Promise<void> {
  const clock = fakeClock()
  const ledger = await openOn(disk, { clock })
  const seal = sealer(ledger.identity)
  const send = async (drafts: Parameters<typeof ledger.append>[0]) => {
    for (const one of await ledger.append(drafts, seal)) if (!('refused' in one)) tell(one)
  }
  if ((await ledger.state()).size === 0) await send([began(key)])
  for (;;) {
    const drafts = Array.from({ length: 1 + pick(2) }, () => asking(`action ${pick(1e9)}`))
    await Promise.all(Array.from({ length: 1 + pick(6) }, () => send(drafts)))
    if (pick(3) === 0) clock.advance(1000)
    if (pick(4) === 0) await turn()
  }
}

it(
  `loses nothing acknowledged when power or process end anywhere, ${seeds} × ${lives} times`,
  async () => {
    const nearlyFull = await ledgerFiles(Array.from({ length: 247 }, () => decision(acme, null)))
    let acknowledged = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const pick = picker(seed)
      const told: Stored[] = []
      // Some lives cross into the next segment.
      let disk = memoryDisk(seed % 4 === 0 ? nearlyFull : new Map())
      for (let life = 1; life <= lives; life++) {
        let next = disk
        const ending = endingDisk(disk, pick(100), () => {
          // A killed process leaves its unsynced work to the next one; a power cut leaves it to chance.
          if (life === lives || pick(3) > 0) next = memoryDisk(disk.afterPowerCut(pick))
        })
        await Promise.race([ending.ended, work(ending, pick, (receipt) => told.push(receipt))])
        disk = next
      }
      const ledger = await openOn(disk)
      const served = await audited(ledger)
      for (const { logIndex, receiptId } of told) {
        expect(served[logIndex]?.receiptId, `seed ${seed}`).toBe(receiptId)
      }
      acknowledged += told.length
    }
    expect(acknowledged).toBeGreaterThan(seeds * lives)
  },
  60_000 + seeds * 200,
)

it('makes durable what a killed process left unsynced, before anybody reads it', async () => {
  const disk = memoryDisk(await ledgerFiles())
  let isOpen = false
  const hangs = (call: string) => isOpen && call === 'sync'
  const ledger = await openOn(faultyDisk(disk, { at: hangs, code: 'EIO', how: 'hang' }))
  isOpen = true
  void append(ledger, decision(acme, null))
  await turn()
  expect(digests(disk.afterPowerCut(() => 1))).not.toEqual(digests(disk.files()))

  const next = await openOn(disk)
  expect((await next.read(1, 2)).length).toBe(1)
  const survivor = await openOn(memoryDisk(disk.afterPowerCut(() => 1)))
  expect(await survivor.read(1, 2)).toEqual(await next.read(1, 2))
})

it('makes durable what a killed process left in two segments', async () => {
  const disk = memoryDisk(
    await ledgerFiles(Array.from({ length: 250 }, () => decision(acme, null))),
  )
  let isOpen = false
  const hangs = (call: string) => isOpen && call === 'sync'
  const ledger = await openOn(faultyDisk(disk, { at: hangs, code: 'EIO', how: 'hang' }))
  const { size } = await ledger.state()
  isOpen = true
  // One batch, which crosses into the next segment.
  void ledger.append(
    Array.from({ length: 12 }, () => decision(acme, null)),
    sealer(ledger.identity),
  )
  for (let i = 0; i < 20; i++) await turn()

  const next = await openOn(disk)
  const kept = await next.read(size, size + 12)
  expect(kept).toHaveLength(12)
  const survivor = await openOn(memoryDisk(disk.afterPowerCut(() => 1)))
  expect(survivor.health()).toBeUndefined()
  expect(await survivor.read(size, size + 12)).toEqual(kept)
})

it('makes durable the tip slot that a killed process left, before the other is written over', async () => {
  const disk = memoryDisk(await ledgerFiles())
  let isOpen = false
  const hangs = (call: string) => isOpen && call === 'sync'
  const ledger = await openOn(faultyDisk(disk, { at: hangs, code: 'EIO', how: 'hang' }))
  isOpen = true
  void append(ledger, decision(acme, null))
  for (let i = 0; i < 20; i++) await turn()
  const tipOnly = (files: ReturnType<typeof disk.files>) => digests(files)['ledger/tip']
  expect(tipOnly(disk.afterPowerCut(() => 1))).not.toBe(tipOnly(disk.files()))

  await openOn(disk)
  expect(tipOnly(disk.afterPowerCut(() => 1))).toBe(tipOnly(disk.files()))
})
