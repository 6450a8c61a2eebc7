import type { LedgerIdentity, LedgerState, Stored } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { createFrames } from '../../packages/ledger/src/frame.ts'
import { readSegment, segmentHeader } from '../../packages/ledger/src/segment.ts'
import { fakeClock } from '../support/clock.ts'
import { append, audited, key, ledgerFiles, openOn, sealer } from '../support/ledger.ts'
import { acme, began, decision } from '../support/log-entries.ts'
import { digests, type Files, memoryDisk } from '../support/memory-disk.ts'

const wal = 'ledger/wal/0000000000000000'
const many = (n: number) => Array.from({ length: n }, () => decision(acme, null))

/** Closed well, so that the checkpoint covers every entry. */
const small = without(await ledgerFiles(many(8), many(7), many(5)), 'ledger/reserve')
const tileAndSegment = await ledgerFiles(many(200), many(50), many(50))

function bytesOf(files: Files, path: string): Uint8Array {
  const bytes = files.get(path)
  if (bytes === undefined) throw new Error(`no ${path}`)
  return bytes
}

function changed(files: Files, path: string, change: (bytes: Uint8Array) => Uint8Array): Files {
  return new Map([...files, [path, change(bytesOf(files, path).slice())]])
}

function without(files: Files, path: string): Files {
  return new Map([...files].filter(([name]) => name !== path))
}

function flipped(files: Files, path: string, bit: number): Files {
  return changed(files, path, (bytes) => {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return bytes
  })
}

/** What the ledger says at start; it must leave a damaged ledger's files alone. */
async function found(files: Files): Promise<string> {
  const disk = memoryDisk(files)
  const ledger = await openOn(disk)
  const fault = ledger.health()
  if (fault === undefined) {
    await audited(ledger)
    return 'well'
  }
  expect(fault.fix.length).toBeGreaterThan(20)
  const drafts = [decision(acme, null)]
  await expect(ledger.append(drafts, () => [])).rejects.toMatchObject({ code: fault.code })
  await ledger.close()
  expect(digests(disk.files())).toEqual(digests(files))
  return fault.code
}

const damage = /^LEDGER_(CORRUPT|TRUNCATED)$/

describe('a bit that flipped', () => {
  it('is found wherever it is in a segment', async () => {
    const bits = bytesOf(small, wal).length * 8
    for (let bit = 0; bit < bits; bit += 809) {
      expect(await found(flipped(small, wal, bit)), `bit ${bit}`).toMatch(damage)
    }
  })

  it('is found wherever it is in the head of a segment, and in its first frame’s', async () => {
    for (let bit = 0; bit < (44 + 24) * 8; bit += 3) {
      expect(await found(flipped(small, wal, bit)), `bit ${bit}`).toMatch(damage)
    }
  })

  it.each(['ledger/checkpoint', 'ledger/origin'])('is found wherever it is in %s', async (path) => {
    const bits = bytesOf(small, path).length * 8
    for (let bit = 0; bit < bits; bit += 5) {
      expect(await found(flipped(small, path, bit)), `bit ${bit}`).toBe('LEDGER_CORRUPT')
    }
  })

  it('in one slot of the tip is what a power cut leaves too: the other slot is good', async () => {
    for (const bit of [0, 900, 8 * 4096, 8 * 4096 + 900]) {
      expect(await found(flipped(small, 'ledger/tip', bit))).toBe('well')
    }
    const both = flipped(flipped(small, 'ledger/tip', 8), 'ledger/tip', 8 * 4100)
    expect(await found(both)).toBe('LEDGER_CORRUPT')
  })

  it('in the positions or the reserve costs nothing but the making of them again', async () => {
    const warnings: string[] = []
    const disk = memoryDisk(flipped(small, 'ledger/positions', 100))
    const ledger = await openOn(disk, { warn: (message) => warnings.push(message) })
    expect(warnings).toEqual([expect.stringContaining('ledger/positions')])
    await audited(ledger)
    await ledger.close()
    expect(disk.files().get('ledger/positions')).toEqual(small.get('ledger/positions'))
    expect(await found(flipped(tileAndSegment, 'ledger/reserve', 100))).toBe('well')
  })
})

describe('a file cut short', () => {
  it('is found wherever a segment is cut', async () => {
    const { length } = bytesOf(small, wal)
    for (let size = 0; size < length; size += 173) {
      const cut = changed(small, wal, (bytes) => bytes.slice(0, size))
      expect(await found(cut), `${size} bytes`).toBe('LEDGER_TRUNCATED')
    }
  })

  it('still gives the good beginning to readers', async () => {
    const cut = changed(small, wal, (bytes) => bytes.slice(0, bytes.length / 2))
    const whole = await openOn(memoryDisk(small))
    const ledger = await openOn(memoryDisk(cut))
    const { size } = await ledger.state()
    expect(size).toBeGreaterThan(5)
    expect(await ledger.read(0, 99)).toEqual(await whole.read(0, size))
    const { receipts } = await ledger.find({ scope: acme, limit: 3 })
    expect(receipts).toEqual(await whole.read(1, 4))
  })

  it.each(['ledger/checkpoint', 'ledger/origin', 'ledger/tip'])('is found in %s', async (path) => {
    const { length } = bytesOf(small, path)
    for (const size of [0, 1, Math.min(100, length - 1)]) {
      const cut = changed(small, path, (bytes) => bytes.slice(0, size))
      expect(await found(cut), `${size} bytes`).toBe('LEDGER_CORRUPT')
    }
  })
})

describe('a file that is gone', () => {
  it.each([
    ['ledger/tile/entries/000', 'LEDGER_CORRUPT'],
    ['ledger/tile/0/000', 'LEDGER_CORRUPT'],
    ['ledger/wal/0000000000000256', 'LEDGER_TRUNCATED'],
    ['ledger/origin', 'LEDGER_CORRUPT'],
    ['ledger/checkpoint', 'LEDGER_CORRUPT'],
    ['ledger/tip', 'LEDGER_CORRUPT'],
    ['ledger/positions', 'well'],
    ['ledger/reserve', 'well'],
  ])('%s is missed: %s', async (path, code) => {
    expect(bytesOf(tileAndSegment, path)).toBeDefined()
    expect(await found(without(tileAndSegment, path))).toBe(code)
  })

  it('is missed when entries and identity are gone together', async () => {
    const left = without(without(small, wal), 'ledger/origin')
    expect(await found(left)).toBe('LEDGER_CORRUPT')
    expect(await found(without(left, 'ledger/checkpoint'))).toBe('LEDGER_CORRUPT')
  })
})

describe('yesterday’s copy', () => {
  async function twoDays(): Promise<{ yesterday: Files; today: Files }> {
    const disk = memoryDisk(small)
    const ledger = await openOn(disk)
    await append(ledger, decision(acme, null))
    await append(ledger, decision(acme, null))
    await ledger.close()
    return { yesterday: small, today: disk.files() }
  }

  function mixed(today: Files, yesterday: Files, old: readonly string[]): Files {
    return new Map([...today, ...old.map((path) => [path, bytesOf(yesterday, path)] as const)])
  }

  it('of the entries is found by what tip or checkpoint covers', async () => {
    const { today, yesterday } = await twoDays()
    const cases = [
      [wal],
      [wal, 'ledger/tip'],
      [wal, 'ledger/checkpoint'],
      [wal, 'ledger/positions'],
    ]
    for (const old of cases) {
      expect(await found(mixed(today, yesterday, old)), old.join()).toBe('LEDGER_TRUNCATED')
    }
  })

  it('of the heads alone loses nothing', async () => {
    const { today, yesterday } = await twoDays()
    expect(await found(mixed(today, yesterday, ['ledger/tip', 'ledger/checkpoint']))).toBe('well')
  })

  it('of everything looks well from within: a checkpoint kept outside tells', async () => {
    const { today, yesterday } = await twoDays()
    expect(await found(mixed(today, yesterday, [...yesterday.keys()]))).toBe('well')
  })
})

describe('frames made anew by somebody who knows the format', () => {
  interface Entry {
    readonly batch: number
    readonly entry: Uint8Array
  }

  async function identityOf(files: Files): Promise<LedgerIdentity> {
    const { identity } = await openOn(memoryDisk(files))
    if (identity === undefined) throw new Error('lost')
    return identity
  }

  /** The small ledger with its entries replaced, checksums and all. */
  async function rewritten(change: (entries: Entry[]) => readonly Entry[]): Promise<Files> {
    const { ledgerId } = await identityOf(small)
    const entries: Entry[] = []
    readSegment(bytesOf(small, wal), 0, ledgerId, (frame) => entries.push(frame))
    const frames = createFrames()
    for (const [i, { batch, entry }] of change(entries).entries()) frames.append(i, batch, entry)
    const header = segmentHeader(ledgerId, new Uint8Array(16))
    return changed(small, wal, () => Uint8Array.of(...header, ...frames.bytes()))
  }

  it('pass when nothing else is changed', async () => {
    expect(await found(await rewritten((entries) => entries))).toBe('well')
  })

  it('are found when an entry is left out, put in twice, or moved', async () => {
    const changes: Readonly<Record<string, (entries: Entry[]) => Entry[]>> = {
      'left out': (entries) => entries.toSpliced(7, 1),
      twice: (entries) => entries.toSpliced(7, 0, ...entries.slice(7, 8)),
      moved: (entries) => entries.toSpliced(7, 2, ...entries.slice(7, 9).reverse()),
    }
    for (const [name, change] of Object.entries(changes)) {
      expect(await found(await rewritten(change)), name).toBe('LEDGER_CORRUPT')
    }
  })

  it('are found when a whole good chain is put in the place of another', async () => {
    // The same ledger, key and drafts at the same time, but one entry says something else.
    const identity = await identityOf(small)
    const disk = memoryDisk()
    const forged = await openOn(disk)
    const said = decision(acme, null)
    const drafts = [began(key), ...many(19), { ...said, body: { ...said.body, action: 'other' } }]
    const results = await forged.append(drafts, sealer(identity))
    const entries = results.filter((one): one is Stored => 'entry' in one)
    const replaced = await rewritten(() => entries.map(({ entry }) => ({ batch: 0, entry })))
    expect(await found(replaced)).toBe('LEDGER_CORRUPT')
  })
})

describe('what follows the last head', () => {
  /** Killed, not closed: the checkpoint covers nothing, the tip all but the last batch. */
  async function killed(...batches: readonly number[]): Promise<Files> {
    const disk = memoryDisk()
    const ledger = await openOn(disk, { checkpointInterval: Infinity })
    await append(ledger, began(key))
    for (const size of batches) await ledger.append(many(size), sealer(ledger.identity))
    return disk.files()
  }

  async function sizeAfter(files: Files): Promise<number> {
    const ledger = await openOn(memoryDisk(files))
    return (await audited(ledger)).length
  }

  it('is kept when it is whole', async () => {
    expect(await sizeAfter(await killed(2, 3))).toBe(6)
  })

  it('is cut from the first frame that is torn, and the log goes on there', async () => {
    const torn = changed(await killed(2, 3), wal, (bytes) => bytes.slice(0, -1))
    const disk = memoryDisk(torn)
    const ledger = await openOn(disk)
    await append(ledger, decision(acme, null))
    expect((await audited(ledger)).length).toBe(6)
    await ledger.close()
    expect(await sizeAfter(disk.files())).toBe(6)
  })

  it('is cut when a frame of the last batch is bad and others of it are whole', async () => {
    const files = await killed(2, 3)
    const { length } = bytesOf(files, wal)
    // In the first of the three frames of the last batch.
    const inFirst = Math.floor(length - ((length - 44) / 6) * 2.5)
    expect(await sizeAfter(flipped(files, wal, inFirst * 8))).toBe(3)
  })

  it('is corrupt when a frame is bad that a later batch follows', async () => {
    // Without a tip that says so: as if the slots were from before.
    const files = await killed(1, 1, 1)
    const old = new Map([...files, ['ledger/tip', bytesOf(await killed(), 'ledger/tip')] as const])
    expect(await found(old)).toBe('well')
    const second = 44 + Math.floor(((bytesOf(files, wal).length - 44) / 4) * 1.5)
    expect(await found(flipped(old, wal, second * 8))).toBe('LEDGER_CORRUPT')
  })

  it.each<[string, Lie]>([
    ['seq', (state) => ({ ...state, scope: (scope) => ({ ...state.scope(scope), seq: 41 }) })],
    [
      'prev',
      (state) => ({ ...state, scope: (scope) => ({ ...state.scope(scope), prev: undefined }) }),
    ],
    ['time', (state) => ({ ...state, time: 0 })],
  ])('is corrupt when its %s does not go on from there', async (_, lie) => {
    const disk = memoryDisk()
    const ledger = await openOn(disk, { checkpointInterval: Infinity })
    const late = fakeClock()
    late.advance(60_000)
    const seal = sealer(ledger.identity, late)
    await ledger.append([began(key), ...many(2)], seal)
    const lying = sealer(ledger.identity, fakeClock())
    await ledger.append(many(1), (state, drafts) => lying(lie(stateOf(state)), drafts))
    expect(await found(disk.files())).toBe('LEDGER_CORRUPT')
  })

  it('is corrupt when it is of another ledger', async () => {
    const disk = memoryDisk()
    const ledger = await openOn(disk, { checkpointInterval: Infinity })
    const ledgerId = '0'.repeat(32)
    await ledger.append([began(key)], sealer({ origin: 'other.example/log', ledgerId }))
    expect(await found(disk.files())).toBe('LEDGER_CORRUPT')
  })
})

type Lie = (state: LedgerState) => LedgerState

/** A copy of a live state, with its getters read. */
function stateOf(state: LedgerState): LedgerState {
  const { identity, size, time, key: signs, successor, trust, scope } = state
  return { identity, size, time, key: signs, successor, trust, scope }
}
