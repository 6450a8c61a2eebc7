import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAudit } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import {
  acme,
  activation,
  began,
  checkpointOf,
  decision,
  ended,
  identity,
  other,
  sealAll,
  signerOf,
  type Step,
} from '../support/log-entries.ts'

const one = signerOf(1)
const two = signerOf(2)

const steps: readonly Step[] = [
  { by: one, draft: began(one) },
  { by: one, draft: activation(acme, 3) },
  { by: one, draft: decision(acme, 3) },
  { by: one, draft: decision(other, null) },
  { by: one, draft: activation(other, 1, false) },
  { by: one, draft: decision(other, 1, false) },
  { by: one, draft: ended(two) },
  { by: two, draft: began(two) },
  { by: two, draft: decision(acme, 3) },
  { by: two, draft: decision(other, 1, false) },
]
const entries = sealAll(steps).map(({ entry }) => entry)
const foreign = sealAll(steps, { ...identity, ledgerId: 'bd'.repeat(16) })
const checkpoint = { name: 'checkpoint', note: checkpointOf(entries, two) }
const index = fc.nat(entries.length - 1)

function verdict(log: readonly Uint8Array[], checkpoints = [checkpoint]): 'PASS' | 'FAIL' {
  const audit = createAudit({ crypto, identity, checkpoints, pinnedKeys: [one.publicKey] })
  for (const entry of log) audit.add(entry)
  return audit.finish().verdict
}

function at(i: number): Uint8Array {
  return entries[i] ?? new Uint8Array()
}

describe('a ledger of which anything was changed', () => {
  it('is found, and the untouched one passes', () => {
    expect(verdict(entries)).toBe('PASS')
    expect(verdict(entries, [])).toBe('PASS')
  })

  it('any change to any byte of any entry is found, with no checkpoint held', () => {
    const change = fc.tuple(index, fc.nat(), fc.integer({ min: 1, max: 255 }))
    fc.assert(
      fc.property(change, ([i, position, difference]) => {
        const changed = at(i).slice()
        const place = position % changed.length
        changed[place] = (changed[place] ?? 0) ^ difference
        return verdict(entries.with(i, changed), []) === 'FAIL'
      }),
      { numRuns: 600 },
    )
  })

  it('bytes cut from or added to an entry are found, with no checkpoint held', () => {
    const change = fc.tuple(index, fc.nat(), fc.uint8Array({ maxLength: 4 }))
    fc.assert(
      fc.property(change, ([i, position, tail]) => {
        const entry = at(i)
        const kept = entry.subarray(0, position % (entry.length + 1))
        const changed = Uint8Array.of(...kept, ...tail)
        fc.pre(Buffer.compare(changed, entry) !== 0)
        return verdict(entries.with(i, changed), []) === 'FAIL'
      }),
      { numRuns: 250 },
    )
  })

  it('a removed, a doubled and a foreign entry are found by whoever holds a checkpoint', () => {
    fc.assert(
      fc.property(index, fc.nat(entries.length), (i, to) => {
        expect(verdict(entries.toSpliced(i, 1))).toBe('FAIL')
        expect(verdict(entries.toSpliced(to, 0, at(i)))).toBe('FAIL')
        expect(verdict(entries.with(i, foreign[i]?.entry ?? new Uint8Array()))).toBe('FAIL')
      }),
      { numRuns: 100 },
    )
  })

  it('any other order is found by whoever holds a checkpoint', () => {
    fc.assert(
      fc.property(index, index, (i, k) => {
        fc.pre(i !== k)
        return verdict(entries.with(i, at(k)).with(k, at(i))) === 'FAIL'
      }),
      { numRuns: 100 },
    )
  })

  it('a shorter log is found by whoever holds a checkpoint, and by nobody else', () => {
    for (let size = 1; size < entries.length; size++) {
      expect(verdict(entries.slice(0, size))).toBe('FAIL')
      expect(verdict(entries.slice(0, size), [])).toBe('PASS')
    }
  })

  it('any change to any byte of the checkpoint is found', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (position, difference) => {
        const note = checkpoint.note.slice()
        const place = position % note.length
        note[place] = (note[place] ?? 0) ^ difference
        return verdict(entries, [{ name: 'checkpoint', note }]) === 'FAIL'
      }),
      { numRuns: 200 },
    )
  })
})
