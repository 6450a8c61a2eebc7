import { setImmediate as turn } from 'node:timers/promises'
import type { Ledger, RefusedDraft, Stored } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../support/clock.ts'
import { type Fault, type FaultyDisk, faultyDisk } from '../support/faulty-disk.ts'
import { asking, audited, key, ledgerFiles, openOn, sealer } from '../support/ledger.ts'
import { acme, began, decision } from '../support/log-entries.ts'
import { type Files, memoryDisk, type MemoryDisk } from '../support/memory-disk.ts'

/** What callers were told; a receipt is known by its action, which no two drafts share. */
interface Told {
  readonly recorded: Stored[]
  readonly refused: string[]
}

/** One life of a ledger: some batches, a checkpoint, one more; all that waits is waited for. */
async function live(disk: FaultyDisk): Promise<Told> {
  const told: Told = { recorded: [], refused: [] }
  const clock = fakeClock()
  let ledger: Ledger
  try {
    ledger = await openOn(disk, { clock })
  } catch {
    return told
  }
  const seal = sealer(ledger.identity)
  const { size } = await ledger.state()
  let hasKey = size > 0

  async function send(action: string): Promise<void> {
    const drafts = [...(hasKey ? [] : [began(key)]), asking(action)]
    try {
      const results = await ledger.append(drafts, seal)
      told.recorded.push(...recordedOf(results))
      hasKey = true
    } catch {
      told.refused.push(action)
    }
  }

  for (const group of [['a'], ['b'], ['c', 'd', 'e'], ['f']]) {
    await Promise.all(group.map((action) => send(`${size}${action}`)))
    // Time for a repair that waits for its pause.
    clock.advance(5000)
    await turn()
  }
  await ledger.publish().catch(() => undefined)
  await send(`${size}g`)
  await ledger.close()
  return told
}

/** What is found after the kernel starts again, on a disk that is well. */
async function reopened(files: Files): Promise<readonly Stored[]> {
  const ledger = await openOn(memoryDisk(files))
  const receipts = await audited(ledger)
  await ledger.close()
  return receipts
}

/** Both what a killed process leaves and what a power cut that loses all unsynced work leaves. */
function leftBy(disk: MemoryDisk): readonly Files[] {
  return [disk.files(), disk.afterPowerCut(() => 1)]
}

function recordedOf(results: readonly (Stored | RefusedDraft)[]): readonly Stored[] {
  return results.filter((one) => 'entry' in one)
}

function idsOf(receipts: readonly Stored[]): string[] {
  return receipts.map(({ receiptId }) => receiptId)
}

function actionsOf(receipts: readonly Stored[]): readonly string[] {
  return receipts.map(({ statement }) => (statement.kind === 'decision' ? statement.action : ''))
}

async function callsOf(files: Files): Promise<readonly string[]> {
  const disk = faultyDisk(memoryDisk(files))
  const { recorded, refused } = await live(disk)
  expect([recorded.length, refused.length]).toEqual([files.size === 0 ? 8 : 7, 0])
  return disk.calls
}

async function used(): Promise<Files> {
  const disk = memoryDisk()
  await live(faultyDisk(disk))
  return disk.files()
}

const kinds: readonly (Pick<Fault, 'code' | 'how'> & { readonly of: RegExp })[] = [
  { code: 'EIO', how: 'before', of: /./ },
  { code: 'EIO', how: 'after', of: /^(write|sync|truncate|rename|remove)/ },
  { code: 'ENOSPC', how: 'before', of: /^(open|write)/ },
  { code: 'ENOSPC', how: 'half', of: /^write/ },
  { code: 'EIO', how: 'dropped', of: /^sync/ },
]

describe.each([
  { name: 'a new ledger', before: async (): Promise<Files> => new Map() },
  { name: 'a ledger that is used', before: used },
])('one call to the disk that fails, whichever, of $name', ({ before }) => {
  it('loses nothing acknowledged, serves nothing refused, and goes on by itself', async () => {
    const files = await before()
    let survived = 0
    for (const [at, call] of (await callsOf(files)).entries()) {
      for (const { code, how, of } of kinds) {
        if (!of.test(call)) continue
        const place = `${how} ${code} at ${at}: ${call}`
        const disk = memoryDisk(files)
        const { recorded, refused } = await live(faultyDisk(disk, { at, code, how }))
        for (const left of leftBy(disk)) {
          const served = await reopened(left)
          expect(idsOf(served), place).toEqual(expect.arrayContaining(idsOf(recorded)))
          for (const one of refused) expect(actionsOf(served), place).not.toContain(one)
        }
        if (recorded.length === 0) continue
        expect(refused.length, place).toBeLessThanOrEqual(3)
        survived++
      }
    }
    expect(survived).toBeGreaterThan(50)
  })
})

describe('one call to the disk that fails, whichever, while a batch crosses into the next segment', () => {
  it('loses nothing acknowledged, serves nothing refused, and goes on by itself', async () => {
    const files = await ledgerFiles(Array.from({ length: 253 }, () => decision(acme, null)))
    /** Two batches of three entries, the first of them across the border. */
    async function cross(disk: FaultyDisk, fault: Fault): Promise<readonly (readonly string[])[]> {
      const ledger = await openOn(disk)
      disk.fail(fault)
      const told: string[][] = []
      for (let batch = 0; batch < 2; batch++) {
        const drafts = ['a', 'b', 'c'].map((name) => asking(`${batch}${name}`))
        try {
          told.push(idsOf(recordedOf(await ledger.append(drafts, sealer(ledger.identity)))))
        } catch {
          told.push([])
        }
      }
      await ledger.close()
      return told
    }

    const plain = faultyDisk(memoryDisk(files))
    await cross(plain, { at: Infinity, code: 'EIO', how: 'before' })
    expect(await plain.list('ledger/wal')).toEqual(['0000000000000256'])
    for (const [at, call] of plain.calls.entries()) {
      for (const { code, how, of } of kinds) {
        if (!of.test(call)) continue
        const place = `${how} ${code} at ${at}: ${call}`
        const disk = memoryDisk(files)
        const told = await cross(faultyDisk(disk), { at, code, how })
        expect(told.flat().length, place).toBeGreaterThanOrEqual(3)
        for (const left of leftBy(disk)) {
          const ledger = await openOn(memoryDisk(left))
          expect(ledger.health(), place).toBeUndefined()
          expect(idsOf(await ledger.read(254, 999)), place).toEqual(told.flat())
        }
      }
    }
  })
})

describe('a disk that fails for good', () => {
  it('loses nothing acknowledged before, whichever call was the first to fail', async () => {
    const files = await used()
    for (const [from, call] of (await callsOf(files)).entries()) {
      const disk = memoryDisk(files)
      let calls = 0
      const fails = () => calls++ >= from
      const { recorded } = await live(faultyDisk(disk, { at: fails, code: 'EIO', how: 'before' }))
      for (const left of leftBy(disk)) {
        const served = idsOf(await reopened(left))
        expect(served, `${from}: ${call}`).toEqual(expect.arrayContaining(idsOf(recorded)))
      }
    }
  })
})
