import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifyPack } from '@helm-ai-kernel/core/evidence'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { ledgerKey, mixedSteps, rebuilt, testLog } from '../support/evidence.ts'
import { acme, other } from '../support/log-entries.ts'

const log = testLog(mixedSteps(600))
const keys = [ledgerKey.publicKey]

/** A range of a scope, and a tree that covers it: often one that ends near a tile's edge. */
const asked = fc
  .record({
    scope: fc.constantFrom(acme, other),
    treeSize: fc.oneof(
      fc.integer({ min: 6, max: 600 }),
      fc.constantFrom(255, 256, 257, 511, 512, 513),
    ),
    start: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ scope, treeSize, start, length }) => {
    const last = log.input({ scope, treeSize }).receipts.length
    const from = 1 + Math.floor(start * (last - 1))
    return { scope, treeSize, from, to: Math.min(last, from + length - 1) }
  })

describe('any range in any tree that covers it', () => {
  it('is a pack that passes, the same one twice', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async (range) => {
        const pack = await log.pack(range)
        expect(await log.pack(range)).toEqual(pack)
        const { verdict, facts } = await verifyPack(pack, { crypto, keys })
        expect(verdict).toBe('PASS')
        expect(facts).toMatchObject(range)
      }),
      { numRuns: 40 },
    )
  })

  it('fails when any byte of it is another, and when any byte of a member is', async () => {
    await fc.assert(
      fc.asyncProperty(asked, fc.nat(), fc.integer({ min: 1, max: 255 }), async (range, at, by) => {
        const pack = await log.pack(range)
        const place = at % pack.length
        const changed = pack.with(place, (pack[place] ?? 0) ^ by)
        expect((await verifyPack(changed, { crypto, keys })).verdict).toBe('FAIL')
        const refitted = await rebuilt(pack, (members) => {
          const names = [...members.keys()].filter((name) => !/^manifest|\.sig$/.test(name))
          const name = names[at % names.length] ?? ''
          const bytes = members.get(name) ?? new Uint8Array()
          const where = at % bytes.length
          members.set(name, bytes.with(where, (bytes[where] ?? 0) ^ by))
        })
        expect((await verifyPack(refitted, { crypto, keys })).verdict).toBe('FAIL')
      }),
      { numRuns: 40 },
    )
  })
})
