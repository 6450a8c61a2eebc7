import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Keep } from '@helm-ai-kernel/core'
import { fileKeep, nodeDisk } from '@helm-ai-kernel/host'
import type { PostgresLedger } from '@helm-ai-kernel/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryDisk } from '../support/memory-disk.ts'
import { hasPostgres, openIn, startPostgres, type TestServer } from '../support/postgres.ts'

const folder = await fs.mkdtemp(join(tmpdir(), 'helm-keep-'))
let server: TestServer | undefined
let ledger: PostgresLedger | undefined
beforeAll(async () => {
  if (!hasPostgres) return
  server = await startPostgres()
  ledger = await openIn(server)
})
afterAll(async () => {
  await ledger?.close()
  await server?.end()
  await fs.rm(folder, { recursive: true, force: true })
})

const bytes = (...values: number[]) => Uint8Array.from(values)

const keeps: readonly (readonly [string, () => Keep])[] = [
  ['files in memory', () => fileKeep(memoryDisk())],
  ['files in a folder', () => fileKeep(nodeDisk(folder))],
  ...(hasPostgres ? [['rows in PostgreSQL', rows] as const] : []),
]

function rows(): Keep {
  if (ledger === undefined) throw new Error('the database was not started')
  return ledger.keep()
}

describe.each(keeps)('a Keep of %s', (_name, make) => {
  it('gives back what was put, and replaces it whole', async () => {
    const keep = make()
    expect(await keep.get('a/b.bundle')).toBeUndefined()
    await keep.put('a/b.bundle', bytes(1, 2, 3, 4))
    expect(await keep.get('a/b.bundle')).toEqual(bytes(1, 2, 3, 4))
    await keep.put('a/b.bundle', bytes(5))
    expect(await keep.get('a/b.bundle')).toEqual(bytes(5))
  })

  it('lists by prefix, sorted, and forgets what is removed', async () => {
    const keep = make()
    for (const name of ['c/2', 'c/10', 'c/1', 'd/1']) await keep.put(name, bytes(0))
    expect(await keep.list('c/')).toEqual(['c/1', 'c/10', 'c/2'])
    expect(await keep.list('c/1')).toEqual(['c/1', 'c/10'])
    await keep.remove('c/1')
    await keep.remove('c/1')
    expect(await keep.get('c/1')).toBeUndefined()
    expect(await keep.list('c/')).toEqual(['c/10', 'c/2'])
    expect(await keep.list('nothing/')).toEqual([])
  })

  it('keeps one of two that are put at the same time under one name', async () => {
    const keep = make()
    await Promise.all([1, 2].map((value) => keep.put('e/1', new Uint8Array(5000).fill(value))))
    const kept = (await keep.get('e/1')) ?? new Uint8Array()
    expect(kept).toHaveLength(5000)
    expect(new Set(kept).size).toBe(1)
    expect(await keep.list('e/')).toEqual(['e/1'])
  })
})

describe('a power cut while a file is put', () => {
  it('leaves the old bytes or the new ones', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const disk = memoryDisk()
      await fileKeep(disk).put('p/1', bytes(1, 1, 1))
      const putting = fileKeep(disk).put('p/1', bytes(2, 2))
      let random = seed
      for (let turn = 0; turn < seed % 25; turn++) await Promise.resolve()
      const left = disk.afterPowerCut((below) => (random = (random * 7919 + 13) % 100_003) % below)
      expect([
        [1, 1, 1],
        [2, 2],
      ]).toContainEqual([...((await fileKeep(memoryDisk(left)).get('p/1')) ?? [])])
      await putting
    }
  })
})
