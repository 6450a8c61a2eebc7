import { setImmediate as turn } from 'node:timers/promises'
import {
  type Draft,
  fits,
  type Ledger,
  type ReceiptQuery,
  type Scope,
  type Stored,
} from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { append, asking, key, openOn, sealer } from '../support/ledger.ts'
import { acme, began, decision, other } from '../support/log-entries.ts'
import { type Files, memoryDisk } from '../support/memory-disk.ts'
import { fakeIndex, type FakeIndex } from '../support/receipt-index.ts'

const size = 5000

/** Of ten receipts one is in another scope; of a hundred one is rare. */
function drafts(count: number): readonly Draft[] {
  return Array.from({ length: count }, (_, i) => {
    if (i % 10 === 3) return decision(other, null)
    return asking(i % 100 === 7 ? 'rare' : 'usual')
  })
}

async function build(): Promise<{ files: Files; all: readonly Stored[] }> {
  const disk = memoryDisk()
  const ledger = await openOn(disk)
  const seal = sealer(ledger.identity)
  await ledger.append([began(key)], seal)
  for (let left = size - 1; left > 0; left -= 512) {
    await ledger.append(drafts(Math.min(left, 512)), seal)
  }
  const all = await ledger.read(0, size)
  await ledger.close()
  return { files: disk.files(), all }
}

const { files, all } = await build()

/** A receipt is known by its id: to compare the bytes of thousands takes a test too long. */
const idsOf = (receipts: readonly Stored[]) => receipts.map(({ receiptId }) => receiptId)

const fitting = (query: Omit<ReceiptQuery, 'limit'>): readonly string[] =>
  idsOf(
    all.filter(
      (one) => fits({ ...query, limit: 0 }, one) && one.statement.seq > (query.afterSeq ?? 0),
    ),
  )

/** What a page says, its receipts by their ids. */
async function pageOf(ledger: Pick<Ledger, 'find'>, query: ReceiptQuery) {
  const page = await ledger.find(query)
  return { ...page, receipts: idsOf(page.receipts) }
}

/** All pages of a query, one after another. */
async function pages(
  ledger: Pick<Ledger, 'find'>,
  query: ReceiptQuery,
): Promise<readonly string[]> {
  const found: string[] = []
  let afterSeq = query.afterSeq ?? 0
  for (let count = 0; count < size; count++) {
    const { receipts, hasMore, scannedTo } = await ledger.find({ ...query, afterSeq })
    expect(receipts.length).toBeLessThanOrEqual(query.limit)
    found.push(...idsOf(receipts))
    if (!hasMore) return found
    const next = Math.max(receipts.at(-1)?.statement.seq ?? 0, scannedTo ?? 0)
    expect(next).toBeGreaterThan(afterSeq)
    afterSeq = next
  }
  throw new Error('the pages have no end')
}

async function filled(index: FakeIndex, held: number): Promise<void> {
  for (let waited = 0; waited < 10_000 && index.held().length < held; waited++) await turn()
  expect(index.held()).toHaveLength(held)
}

describe('a list without filters', () => {
  it.each<[string, Scope, number]>([
    ['a large scope', acme, 0],
    ['a small scope', other, 0],
    ['a scope, from its middle', acme, 2345],
    ['a scope, from its end', other, 499],
  ])('gives %s whole, page by page', async (_, scope, afterSeq) => {
    const ledger = await openOn(memoryDisk(files))
    const found = await pages(ledger, { scope, afterSeq, limit: 333 })
    expect(found).toEqual(fitting({ scope, afterSeq }))
  })

  it('gives nothing of a scope that has none', async () => {
    const ledger = await openOn(memoryDisk(files))
    const scope = { tenantId: 'no', workspaceId: 'one' }
    expect(await ledger.find({ scope, limit: 5 })).toEqual({ receipts: [], hasMore: false })
  })

  it('goes on into what was appended since', async () => {
    const ledger = await openOn(memoryDisk(files))
    const newest = await append(ledger, asking('newest'))
    const { receipts } = await ledger.find({
      scope: acme,
      afterSeq: newest.statement.seq - 2,
      limit: 9,
    })
    expect(idsOf(receipts)).toEqual([fitting({ scope: acme }).at(-1), newest.receiptId])
  })
})

describe('a receipt by its id', () => {
  it('is found wherever it is, in its own scope alone', async () => {
    const ledger = await openOn(memoryDisk(files))
    for (const at of [1, 4, 255, 256, 2000, 4095, 4096, size - 1]) {
      const one = all[at]
      if (one === undefined) throw new Error('unreachable')
      const scopes = [acme, other].map(
        async (scope) =>
          (await ledger.find({ scope, receiptId: one.receiptId, limit: 2 })).receipts,
      )
      expect(idsOf((await Promise.all(scopes)).flat())).toEqual([one.receiptId])
    }
  })
})

describe('a filter', () => {
  const query = { scope: acme, action: 'rare' }

  it('without an index looks at each receipt of the scope', async () => {
    const ledger = await openOn(memoryDisk(files))
    expect(await pages(ledger, { ...query, limit: 7 })).toEqual(fitting(query))
    const page = await ledger.find({ ...query, limit: 1000 })
    expect([page.hasMore, page.scannedTo, page.indexFrom]).toEqual([false, undefined, undefined])
  })

  it('looks at 20,000 receipts at a time, and says how far', async () => {
    const disk = memoryDisk(files)
    const ledger = await openOn(disk)
    const seal = sealer(ledger.identity)
    const before = fitting({ scope: acme }).length
    for (let i = 0; i < 32; i++) await ledger.append(drafts(512), seal)
    const page = await ledger.find({ scope: acme, action: 'never', limit: 10 })
    expect(before + 32 * 460).toBeLessThan(20_000)
    expect(page).toEqual({ receipts: [], hasMore: false })
    for (let i = 0; i < 16; i++) await ledger.append(drafts(512), seal)
    const long = await ledger.find({ scope: acme, action: 'never', limit: 10 })
    expect(long).toEqual({ receipts: [], hasMore: true, scannedTo: 20_000 })
    const rest = await ledger.find({ scope: acme, action: 'never', limit: 10, afterSeq: 20_000 })
    expect(rest).toEqual({ receipts: [], hasMore: false })
  }, 60_000)

  it('within the window of an index reads what it proposes alone', async () => {
    const index = fakeIndex(10_000)
    const ledger = await openOn(memoryDisk(files), { index })
    await filled(index, size)
    const page = await ledger.find({ ...query, limit: 10 })
    expect(idsOf(page.receipts)).toEqual(fitting(query).slice(0, 10))
    expect([page.hasMore, page.indexFrom]).toEqual([true, undefined])
    expect(index.queries).toHaveLength(1)
    expect(await pages(ledger, { ...query, limit: 10 })).toEqual(fitting(query))
  })

  it('below the window looks at each receipt, and says where the index begins', async () => {
    const index = fakeIndex(1000)
    const ledger = await openOn(memoryDisk(files), { index })
    await filled(index, 1000)
    const page = await pageOf(ledger, { ...query, limit: 1000 })
    expect(page).toEqual({ receipts: fitting(query), hasMore: false, indexFrom: size - 1000 })
    expect(await pages(ledger, { ...query, limit: 3 })).toEqual(fitting(query))
  })

  it('fills the index with as many of the newest receipts as it is told to', async () => {
    const index = fakeIndex(10_000)
    await openOn(memoryDisk(files), { index, indexLimit: 500 })
    await filled(index, 500)
    expect(index.from).toBe(size - 500)
  })

  it('answers without the index that is still being made, and with it from then on', async () => {
    const index = fakeIndex(10_000)
    let resolve: (index: FakeIndex) => void = () => undefined
    const made = new Promise<FakeIndex>((done) => (resolve = done))
    const ledger = await openOn(memoryDisk(files), { index: () => made })
    const newest = await append(ledger, asking('newest'))
    expect((await pageOf(ledger, { ...query, limit: 1000 })).receipts).toEqual(fitting(query))
    expect(index.queries).toEqual([])
    resolve(index)
    await filled(index, size + 1)
    const { receipts } = await ledger.find({ scope: acme, action: 'newest', limit: 5 })
    expect(idsOf(receipts)).toEqual([newest.receiptId])
    expect(index.queries).toHaveLength(1)
  })

  it('does without an index that cannot be made, and does not wait for one when it is closed', async () => {
    const warnings: string[] = []
    const warn = (message: string) => warnings.push(message)
    const failing = await openOn(memoryDisk(files), {
      index: () => Promise.reject(new Error('no WebAssembly here')),
      warn,
    })
    await turn()
    expect((await pageOf(failing, { ...query, limit: 1000 })).receipts).toEqual(fitting(query))
    expect(warnings).toEqual([expect.stringContaining('no WebAssembly here')])

    let closed = false
    const waiting = await openOn(memoryDisk(files), {
      index: (cancel) =>
        new Promise((_, reject) => {
          cancel.addEventListener('abort', () => {
            closed = true
            reject(new Error('closed'))
          })
        }),
      warn,
    })
    await waiting.close()
    expect(closed).toBe(true)
    expect(warnings).toHaveLength(1)
  })

  it('knows what was appended a moment ago', async () => {
    const index = fakeIndex(100)
    const ledger = await openOn(memoryDisk(files), { index })
    const newest = await append(ledger, asking('newest'))
    const { receipts } = await ledger.find({ scope: acme, action: 'newest', limit: 5 })
    expect(idsOf(receipts)).toEqual([newest.receiptId])
  })

  it.each<[string, (honest: readonly number[]) => readonly number[]]>([
    ['what does not fit', (honest) => [(honest[0] ?? 1) - 1, ...honest]],
    ['what is not there', (honest) => [...honest, size + 7]],
    ['things out of order', (honest) => honest.toReversed()],
    ['a thing twice', (honest) => honest.flatMap((one) => [one, one])],
    ['what is below its window', (honest) => [4, ...honest]],
  ])(
    'is answered from the log when an index proposes %s, which is then filled again',
    async (_, lie) => {
      let isLying = true
      const index = fakeIndex(1000, (honest) => (isLying ? lie(honest) : honest))
      const ledger = await openOn(memoryDisk(files), { index })
      await filled(index, 1000)
      const page = await pageOf(ledger, { ...query, limit: 1000 })
      expect(page).toEqual({ receipts: fitting(query), hasMore: false })
      isLying = false
      await filled(index, 1000)
      expect((await pageOf(ledger, { ...query, limit: 1000 })).receipts).toEqual(fitting(query))
    },
  )

  it('does without an index that fails', async () => {
    const warnings: string[] = []
    const index = {
      ...fakeIndex(100),
      add: () => {
        throw new Error('out of memory')
      },
    }
    const warn = (message: string) => warnings.push(message)
    const ledger = await openOn(memoryDisk(files), { index, warn })
    await append(ledger, asking('newest'))
    expect((await pageOf(ledger, { ...query, limit: 1000 })).receipts).toEqual(fitting(query))
    expect(warnings).toEqual([expect.stringContaining('out of memory')])
    expect(ledger.health()).toBeUndefined()
  })
})

describe('positions that are wrong', () => {
  const recordBytes = 24

  function spoiled(change: (bytes: Uint8Array) => Uint8Array): Files {
    const bytes = files.get('ledger/positions')?.slice() ?? new Uint8Array()
    return new Map(files).set('ledger/positions', change(bytes))
  }

  const cases: Readonly<Record<string, Files>> = {
    missing: new Map([...files].filter(([path]) => path !== 'ledger/positions')),
    'cut short': spoiled((bytes) => bytes.slice(0, 1000)),
    'of another digest': spoiled((bytes) => bytes.with(77 * recordBytes, 1)),
    'of another scope': spoiled((bytes) => bytes.with(77 * recordBytes + 8, 9)),
    'of another seq': spoiled((bytes) => bytes.with(77 * recordBytes + 16, 9)),
  }

  it.each(Object.entries(cases))(
    '%s: are made again, and meanwhile nothing is missing',
    async (_, left) => {
      const warnings: string[] = []
      const disk = memoryDisk(left)
      const ledger = await openOn(disk, { warn: (message) => warnings.push(message) })
      expect(warnings).toEqual([expect.stringContaining('ledger/positions does not fit the log')])
      expect(ledger.warnings()).toEqual(warnings)
      const one = all[77]
      if (one === undefined) throw new Error('unreachable')
      const found = await ledger.find({ scope: acme, receiptId: one.receiptId, limit: 1 })
      expect(idsOf(found.receipts)).toEqual([one.receiptId])
      expect(await pages(ledger, { scope: acme, limit: 1000 })).toEqual(fitting({ scope: acme }))
      for (let waited = 0; waited < 10_000 && ledger.warnings().length > 0; waited++) await turn()
      expect(ledger.warnings()).toEqual([])
      await ledger.publish()
      expect(disk.files().get('ledger/positions')).toEqual(files.get('ledger/positions'))
      await ledger.close()
    },
  )

  it('after the start too: what does not agree with its entry is not believed', async () => {
    const disk = memoryDisk(files)
    const ledger = await openOn(disk)
    const file = await disk.open('ledger/positions', 'write')
    await file.write(Uint8Array.of(9), 77 * recordBytes + 8)
    expect(await pages(ledger, { scope: acme, limit: 1000 })).toEqual(fitting({ scope: acme }))
    for (let waited = 0; waited < 10_000 && ledger.warnings().length > 0; waited++) await turn()
    expect(disk.files().get('ledger/positions')).toEqual(files.get('ledger/positions'))
  })
})
