import { setImmediate as turn } from 'node:timers/promises'
import { type Ledger, scopeOf } from '@helm-ai-kernel/core'
import { verifyLedger } from '@helm-ai-kernel/ledger'
import { describe, expect, it } from 'vitest'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { fakeClock } from '../support/clock.ts'
import { faultyDisk } from '../support/faulty-disk.ts'
import { append, key, openOn, sealer, tiled } from '../support/ledger.ts'
import { acme, activation, began, decision, signerOf } from '../support/log-entries.ts'
import { digests, type Files, memoryDisk } from '../support/memory-disk.ts'

// What a start need not read again is in `ledger/state`, and may be believed only when the log key
// signed it and the tiles are of the same log. Whatever is wrong with it, nothing is forgotten.

const state = 'ledger/state'
const many = (n: number) => Array.from({ length: n }, () => decision(acme, null))
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

/** Grows a ledger by so many entries; a signed policy of epoch 7 is active since its second one. */
async function grow(files: Files, entries: number): Promise<Files> {
  const disk = memoryDisk(files)
  const ledger = await openOn(disk)
  const seal = sealer(ledger.identity)
  const { size } = await ledger.state()
  if (size === 0) await ledger.append([began(key), activation(acme, 7)], seal)
  for (let left = entries; left > 0; left -= 512) {
    await ledger.append(many(Math.min(left, 512)), seal)
  }
  await tiled(disk, Math.floor((size + entries - 1) / 256))
  await ledger.close()
  return disk.files()
}

const small = await grow(new Map(), 4200)
const large = await grow(small, 4800)
const size = 9002

function changed(files: Files, path: string, change: (bytes: Uint8Array) => Uint8Array): Files {
  return new Map(files).set(path, change(files.get(path)?.slice() ?? new Uint8Array()))
}

function without(files: Files, path: string): Files {
  return new Map([...files].filter(([name]) => name !== path))
}

/** Opens a ledger; says whether its start read all tiles, and what it warned of. */
async function start(files: Files, more: Parameters<typeof openOn>[1] = {}) {
  const disk = faultyDisk(memoryDisk(files))
  const warnings: string[] = []
  const ledger = await openOn(disk, { warn: (message) => warnings.push(message), ...more })
  const bundles = disk.calls.filter((call) => call.startsWith('open ledger/tile/entries/'))
  return { ledger, warnings, bundles, readAll: bundles.includes('open ledger/tile/entries/000') }
}

async function isWhole(ledger: Ledger, entries: number): Promise<void> {
  expect(ledger.health()).toBeUndefined()
  const found = await ledger.state()
  expect([found.size, found.key]).toEqual([entries, key.keyId])
  expect(found.scope(acme)).toMatchObject({
    seq: entries - 1,
    signed: { epoch: 7 },
    signedOnly: true,
  })
  const newest = await append(ledger, decision(acme, null))
  expect([newest.logIndex, newest.statement.seq]).toEqual([entries, entries])
}

describe('a kept state', () => {
  it('lets a start read what came after it alone', async () => {
    const { ledger, warnings, bundles } = await start(large)
    expect(text(large.get(state))).toContain('"size":8192')
    expect(warnings).toEqual([])
    expect([...new Set(bundles)]).toEqual(
      ['032', '033', '034', '035'].map((name) => `open ledger/tile/entries/${name}`),
    )
    await isWhole(ledger, size)
  })

  it('is the same whether the log was read or kept', async () => {
    const again = memoryDisk(without(large, state))
    const ledger = await openOn(again)
    for (let waited = 0; waited < 1000 && !again.files().has(state); waited++) await turn()
    await ledger.close()
    expect(text(again.files().get(state))).toBe(text(large.get(state)))
  })

  it.each<[string, Files]>([
    ['yesterday’s', changed(large, state, () => small.get(state) ?? new Uint8Array())],
    ['none', without(large, state)],
  ])('that is %s is as good, and slower', async (_, files) => {
    const { ledger, warnings } = await start(files)
    expect(warnings).toEqual([])
    await isWhole(ledger, size)
  })

  const edited = (from: RegExp, to: string) =>
    changed(large, state, (bytes) => new TextEncoder().encode(text(bytes).replace(from, to)))

  it.each<[string, Files]>([
    ['forgets the epoch', edited(/"epoch":7/, '"epoch":1')],
    ['forgets that policy is signed', edited(/"signedOnly":true/, '"signedOnly":false')],
    ['forgets a receipt', edited(/"seq":\d+/g, '"seq":1')],
    ['is of another ledger', edited(/ledger [0-9a-f]{4}/, 'ledger 0000')],
    ['is of another size', edited(/"size":8192/, '"size":4096')],
    ['is of another body', edited(/body [0-9a-f]{4}/, 'body 0000')],
    ['has lost its signature', edited(/— .*\n/, '\n')],
    ['is cut short', changed(large, state, (bytes) => bytes.slice(0, -3))],
    ['is empty', changed(large, state, () => new Uint8Array())],
    ['is no text', changed(large, state, () => Uint8Array.of(255, 10, 10, 255))],
    [
      'is a checkpoint',
      changed(large, state, () => large.get('ledger/checkpoint') ?? new Uint8Array()),
    ],
  ])('that %s is not believed: the whole log is read', async (_, files) => {
    const { ledger, warnings, readAll } = await start(files)
    expect(warnings).toEqual([expect.stringMatching(/^ledger\/state .*: the whole log is read$/)])
    expect(readAll).toBe(true)
    await isWhole(ledger, size)
  })

  it('that another key signed is not believed', async () => {
    const stranger = signerOf(9)
    const files = await grownBy(stranger)
    const { ledger, warnings } = await start(
      changed(large, state, () => files.get(state) ?? new Uint8Array()),
    )
    expect(warnings).toHaveLength(1)
    await isWhole(ledger, size)
  })

  it('that is of a longer log than the tiles is not believed', async () => {
    const { ledger } = await start(
      changed(small, state, () => large.get(state) ?? new Uint8Array()),
    )
    await isWhole(ledger, 4202)
  })

  it('that cannot be read is not waited for', async () => {
    const disk = faultyDisk(memoryDisk(large), {
      at: (call, path) => call === 'read' && path === state,
      code: 'EIO',
      how: 'before',
    })
    const warnings: string[] = []
    const ledger = await openOn(disk, { warn: (message) => warnings.push(message) })
    expect(warnings).toEqual([expect.stringContaining('ledger/state cannot be read')])
    await isWhole(ledger, size)
  })

  it('that cannot be written is a warning, and stops nothing', async () => {
    const clock = fakeClock()
    const disk = faultyDisk(memoryDisk(without(large, state)), {
      at: (call, path) => call === 'write' && path.startsWith(state),
      code: 'EIO',
      how: 'before',
    })
    const ledger = await openOn(disk, { clock })
    for (let waited = 0; waited < 1000 && ledger.warnings().length === 0; waited++) await turn()
    expect(ledger.warnings()).toEqual([expect.stringContaining('ledger/state is not written')])
    await isWhole(ledger, size)
    await ledger.close()
  })
})

async function grownBy(stranger: typeof key): Promise<Files> {
  const disk = memoryDisk(without(large, state))
  const ledger = await openOn(disk, { log: stranger.log })
  for (let waited = 0; waited < 1000 && !disk.files().has(state); waited++) await turn()
  await ledger.close()
  return disk.files()
}

describe('ten thousand scopes', () => {
  it('are kept, each with where it stands', async () => {
    const scopes = Array.from({ length: 10_000 }, (_, i) => scopeOf('tenant', `w${i}`))
    const disk = memoryDisk()
    const ledger = await openOn(disk)
    const seal = sealer(ledger.identity)
    await ledger.append([began(key)], seal)
    for (let i = 0; i < scopes.length; i += 500) {
      await ledger.append(
        scopes.slice(i, i + 500).map((scope) => activation(scope, 5)),
        seal,
      )
    }
    await tiled(disk, 39)
    await ledger.close()
    const { ledger: again, warnings, readAll } = await start(disk.files())
    expect([warnings, readAll]).toEqual([[], false])
    const found = await again.state()
    expect(scopes.every((scope) => found.scope(scope).signed?.epoch === 5)).toBe(true)
    const { receipts } = await again.find({ scope: scopes[4321] ?? acme, limit: 5 })
    expect(receipts.map(({ logIndex }) => logIndex)).toEqual([4322])
  }, 60_000)
})

describe('a bit that flipped in a tile', () => {
  const paths = [
    'ledger/tile/entries/000',
    'ledger/tile/entries/017',
    'ledger/tile/entries/032',
    'ledger/tile/0/000',
    'ledger/tile/0/031',
    'ledger/tile/0/033',
  ]

  /** What the ledger says at once, or after it has looked at all tiles. */
  async function found(files: Files): Promise<string | undefined> {
    const clock = fakeClock()
    const ledger = await openOn(memoryDisk(files), { clock, warn: () => undefined })
    for (let waited = 0; waited < 2000 && ledger.health() === undefined; waited++) {
      clock.advance(100)
      await turn()
    }
    const fault = ledger.health()
    if (fault !== undefined) {
      await expect(ledger.append(many(1), () => [])).rejects.toMatchObject({ code: fault.code })
    }
    await ledger.close()
    return fault && `${fault.code}: ${fault.detail}`
  }

  const flipped = (path: string) =>
    changed(large, path, (bytes) => {
      const at = Math.floor(bytes.length / 3)
      return bytes.with(at, (bytes[at] ?? 0) ^ 4)
    })

  it.each(paths)('is found at the start or soon after: %s', async (path) => {
    expect(await found(flipped(path))).toMatch(/^LEDGER_CORRUPT: .*ledger\/tile\/(entries|0)\/0/)
  })

  it.each(paths)('or when it is gone: %s', async (path) => {
    expect(await found(without(large, path))).toMatch(/^LEDGER_CORRUPT: .*is missing/)
  })

  it('is not found where there is none', async () => {
    expect(await found(large)).toBeUndefined()
  })

  it.each([...paths, state, 'ledger/positions'])(
    'fails `ledger verify`: %s',
    async (path) => {
      const { verdict, checks } = await verifyLedger(memoryDisk(flipped(path)), { crypto })
      const failed = checks.filter(({ status }) => status === 'fail').map(({ detail }) => detail)
      expect([verdict, failed.join()]).toEqual(['FAIL', expect.stringContaining('ledger/')])
    },
    60_000,
  )
})

describe('a ledger with tiles', () => {
  it('passes `ledger verify`, its kept state and its positions too', async () => {
    const { verdict, checks } = await verifyLedger(memoryDisk(large), { crypto })
    expect(verdict).toBe('PASS')
    expect(checks.slice(0, 3).map(({ name, status }) => [name, status])).toEqual([
      ['files', 'pass'],
      ['state', 'pass'],
      ['positions', 'pass'],
    ])
  })

  it('is left alone by who verifies it', async () => {
    const disk = memoryDisk(large)
    await verifyLedger(disk, { crypto })
    expect(digests(disk.files())).toEqual(digests(large))
  })
})
