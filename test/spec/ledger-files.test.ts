import type { Ledger } from '@helm-ai-kernel/core'
import { openCheckpoint, rootOfTiles } from '@helm-ai-kernel/core/log'
import { readLedger } from '@helm-ai-kernel/ledger'
import { describe, expect, it } from 'vitest'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { append, asking, key, ledgerFiles, openOn, sealer } from '../support/ledger.ts'
import { acme, decision } from '../support/log-entries.ts'
import { digests, memoryDisk } from '../support/memory-disk.ts'

const many = (n: number) => Array.from({ length: n }, () => decision(acme, null))
const files = await ledgerFiles(many(300), [asking('one')], many(300))

async function isAsServed(ledger: Ledger, disk: ReturnType<typeof memoryDisk>): Promise<void> {
  const read = await readLedger(disk, crypto)
  const { size } = await ledger.state()
  expect(read.identity).toEqual(ledger.identity)
  expect(read.size).toBe(size)
  const entries = await read.read(0, size)
  expect(entries.map((one) => one.receiptId)).toEqual(
    (await ledger.read(0, size)).map((one) => one.receiptId),
  )
}

describe('the files of a ledger', () => {
  it('are read without a change', async () => {
    const disk = memoryDisk(files)
    const read = await readLedger(disk, crypto)
    expect(read.size).toBe(602)
    const [receipt] = await read.read(301, 302)
    const found = await read.find({ scope: acme, action: 'one', limit: 5 })
    expect(found.receipts).toEqual([receipt])
    const byId = { scope: acme, receiptId: found.receipts[0]?.receiptId ?? asId(), limit: 1 }
    expect((await read.find(byId)).receipts).toEqual([receipt])
    expect(digests(disk.files())).toEqual(digests(files))
  })

  it('have the tree that their checkpoint signs', async () => {
    const read = await readLedger(memoryDisk(files), crypto)
    const log = { origin: read.identity.origin, publicKey: key.log.publicKey }
    const note = (await read.checkpoint()) ?? new Uint8Array()
    const { size, root } = openCheckpoint(note, log, crypto)
    expect(size).toBe(602)
    expect(await rootOfTiles(crypto, read, size)).toEqual(root)
  })

  it('are read beside a kernel that writes them, as segments become tiles', async () => {
    const disk = memoryDisk(files)
    const ledger = await openOn(disk)
    for (let round = 0; round < 5; round++) {
      const appending = ledger.append(many(300), sealer(ledger.identity))
      const early = await readLedger(disk, crypto)
      expect(early.size).toBeGreaterThanOrEqual(602 + round * 300)
      await appending
      await append(ledger, decision(acme, null))
      expect(await early.read(0, 602)).toHaveLength(602)
    }
    await isAsServed(ledger, disk)
  })

  it('that are damaged, or none, say so', async () => {
    const without = (path: string) => new Map([...files].filter(([name]) => name !== path))
    const code = async (left: typeof files) => {
      try {
        await readLedger(memoryDisk(left), crypto)
      } catch (error) {
        return (error as { code: unknown }).code
      }
      return 'well'
    }
    expect(await code(new Map())).toBe('LEDGER_MISSING')
    expect(await code(without('ledger/tile/entries/001'))).toBe('LEDGER_CORRUPT')
    expect(await code(without('ledger/wal/0000000000000512'))).toBe('LEDGER_TRUNCATED')
    expect(await code(without('ledger/positions'))).toBe('well')
    expect(await code(without('ledger/state'))).toBe('well')
  })
})

function asId(): never {
  throw new Error('nothing was found')
}
