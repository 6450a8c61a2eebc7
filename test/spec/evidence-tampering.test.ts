import { describe, expect, it } from 'vitest'
import { digest, type Json } from '@helm-ai-kernel/core'
import { verifyPack } from '@helm-ai-kernel/core/evidence'
import { formatProof, parseProof } from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import {
  ledgerKey,
  logOf,
  membersOf,
  mixedSteps,
  named,
  policyHash,
  rebuilt,
  reworded,
  tarOf,
  testLog,
} from '../support/evidence.ts'
import {
  acme,
  began,
  decision,
  ended,
  identity,
  other,
  sealAll,
  signerOf,
} from '../support/log-entries.ts'

// What a middleman without the keys can do to a pack: everything in it can be changed, its manifest too.

const log = testLog(mixedSteps(20))
const pack = await log.pack()
const keys = [ledgerKey.publicKey]
const attacker = signerOf(66)

/** Names of the checks that failed; none is a pass. */
async function failures(bytes: Uint8Array | Promise<Uint8Array>): Promise<readonly string[]> {
  const { verdict, checks } = await verifyPack(await bytes, { crypto, keys })
  const failed = checks.filter(({ status }) => status === 'fail').map(({ name }) => name)
  expect(verdict).toBe(failed.length === 0 ? 'PASS' : 'FAIL')
  return failed
}

const member = (name: string, from: Uint8Array = pack): Uint8Array =>
  membersOf(from).get(name) ?? new Uint8Array()

describe('a changed pack', () => {
  it('is told from one that was only taken apart and put together again', async () => {
    expect(await rebuilt(pack, () => undefined)).toEqual(pack)
    expect(tarOf(membersOf(pack))).toEqual(pack)
    expect(await failures(pack)).toEqual([])
  })

  it('fails wherever a bit of it is flipped', async () => {
    const small = await log.pack({ to: 1 })
    for (let at = 0; at < small.length; at += 7) {
      const flipped = small.slice()
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      expect((await failures(flipped)).length, `byte ${at}`).toBeGreaterThan(0)
    }
  })

  it('fails wherever a bit of a member is flipped and the manifest made to fit', async () => {
    const small = await log.pack({ to: 1, saltOf: () => new Uint8Array(16) })
    for (const [name, bytes] of membersOf(small)) {
      // A salt is proved by nothing but the arguments; whether the policy's .sig is good, by trust keys.
      if (['manifest.json', 'salts.json'].includes(name) || name.endsWith('.sig')) continue
      for (let at = 0; at < bytes.length; at += 13) {
        const flipped = rebuilt(small, (members) => {
          const changed = bytes.slice()
          changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
          members.set(name, changed)
        })
        expect((await failures(flipped)).length, `${name} byte ${at}`).toBeGreaterThan(0)
      }
    }
  })

  it('fails when it is cut off anywhere', async () => {
    for (let length = 0; length < pack.length; length += 397) {
      expect(await failures(pack.slice(0, length))).toEqual(['form'])
    }
  })
})

describe('members', () => {
  it('may not be dropped, whatever they are', async () => {
    for (const name of membersOf(pack).keys()) {
      if (name.endsWith('.sig') || name === 'manifest.json') continue
      const without = rebuilt(pack, (members) => members.delete(name))
      expect((await failures(without)).length, name).toBeGreaterThan(0)
      const unlisted = membersOf(pack)
      unlisted.delete(name)
      expect(await failures(tarOf(unlisted)), name).toEqual(['manifest'])
    }
    expect(await failures(tarOf([]))).toEqual(['manifest'])
  })

  it.each([
    ['a receipt beyond the range', 'receipts/99.json', member('receipts/1.json')],
    ['a proof of none', 'log/proofs/99.tlog-proof', member('log/proofs/1.tlog-proof')],
    ['a policy that nothing names', `policy/${'0'.repeat(64)}.bundle`, new Uint8Array(1)],
    ['a signature of no policy', `policy/${'0'.repeat(64)}.bundle.sig`, new Uint8Array(1)],
    ['salts that the manifest does not tell of', 'salts.json', new Uint8Array(1)],
  ])('may not be added: %s', async (_, name, bytes) => {
    expect(await failures(rebuilt(pack, (members) => members.set(name, bytes)))).toEqual([
      'contents',
    ])
  })

  it('may not be renamed', async () => {
    const renamed = rebuilt(pack, (members) => {
      members.set('receipts/99.json', member('receipts/3.json'))
      members.delete('receipts/3.json')
    })
    expect(await failures(renamed)).toContain('contents')
  })

  it('may not stand twice', async () => {
    const members = [...membersOf(pack)]
    const twice = members.flatMap((one) => (one[0] === 'keys.json' ? [one, one] : [one]))
    expect(await failures(tarOf(twice))).toEqual(['form'])
  })

  it.each(['lengthened', 'shortened', 'moved'])('may not be of a range that is %s', async (how) => {
    const range = { lengthened: { to: 14 }, shortened: { to: 12 }, moved: { from: 2 } }[how]
    expect((await failures(rebuilt(pack, () => undefined, range))).length).toBeGreaterThan(0)
  })
})

describe('receipts', () => {
  it('may not be swapped, with their proofs or without', async () => {
    const swap = (kinds: readonly ((seq: number) => string)[]) =>
      rebuilt(pack, (members) => {
        for (const name of kinds) {
          members.set(name(3), member(name(4)))
          members.set(name(4), member(name(3)))
        }
      })
    const receipt = (seq: number) => `receipts/${seq}.json`
    const proof = (seq: number) => `log/proofs/${seq}.tlog-proof`
    expect(await failures(swap([receipt]))).toContain('inclusion')
    expect(await failures(swap([proof]))).toContain('inclusion')
    expect(await failures(swap([receipt, proof]))).toContain('chain')
  })

  it('may not be taken from another scope, even where the numbers fit', async () => {
    const foreign = await log.pack({ scope: other })
    const mixed = rebuilt(pack, (members) => {
      for (const name of ['receipts/3.json', 'log/proofs/3.tlog-proof']) {
        members.set(name, member(name, foreign))
      }
    })
    expect(await failures(mixed)).toEqual(expect.arrayContaining(['receipts', 'chain']))
    expect(await failures(rebuilt(pack, () => undefined, { scope: other }))).toContain('receipts')
  })

  it('may not be of another ledger of the same key', async () => {
    const twin = testLog(mixedSteps(20), { ...identity, ledgerId: '66'.repeat(16) })
    const foreign = await twin.pack()
    expect(await failures(rebuilt(foreign, () => undefined, { identity }))).toContain('receipts')
    const mixed = rebuilt(pack, (members) => {
      members.set('receipts/3.json', member('receipts/3.json', foreign))
    })
    expect(await failures(mixed)).toEqual(['chain', 'inclusion'])
  })

  it('open their scope in the log that the manifest names', async () => {
    // The chain of a scope that was opened under another origin, in a log that is signed for this one.
    const sealed = sealAll(mixedSteps(20), { ...identity, origin: 'elsewhere.example' })
    expect(await failures(await logOf(sealed).pack())).toEqual(['chain'])
    expect(await failures(await logOf(sealed).pack({ from: 2 }))).toEqual([])
  })
})

describe('proofs', () => {
  const change = (edit: (proof: ReturnType<typeof parseProof>) => ReturnType<typeof parseProof>) =>
    rebuilt(pack, (members) => {
      const name = 'log/proofs/5.tlog-proof'
      members.set(name, formatProof(edit(parseProof(member(name)))))
    })

  it.each([
    ['of another index', change((proof) => ({ ...proof, index: proof.index + 1 }))],
    ['of an index beyond the tree', change((proof) => ({ ...proof, index: 2 ** 52 }))],
    ['with a hash too few', change((proof) => ({ ...proof, hashes: proof.hashes.slice(1) }))],
    [
      'with a hash twice',
      change((proof) => ({ ...proof, hashes: [...proof.hashes, ...proof.hashes] })),
    ],
    ['with something extra', change((proof) => ({ ...proof, extra: Uint8Array.of(1) }))],
    ['in an older tree', change((proof) => ({ ...proof, checkpoint: log.note(19) }))],
  ])('%s fail', async (_, bytes) => {
    expect(await failures(bytes)).toContain('inclusion')
  })
})

describe('a checkpoint', () => {
  /** The pack, with another note at every place. */
  const under = (note: Uint8Array) =>
    rebuilt(pack, (members) => {
      for (const [name, bytes] of members) {
        if (!name.endsWith('.tlog-proof')) continue
        members.set(name, formatProof({ ...parseProof(bytes), checkpoint: note }))
      }
      members.set('log/checkpoint', note)
    })

  it.each([
    ['of another log', testLog(mixedSteps(20), { ...identity, origin: 'other.example' }).note()],
    ['of an older tree', log.note(19)],
    ['of another history', testLog(mixedSteps(19)).note()],
    ['signed by an attacker', log.note(20, attacker)],
    ['that is none', new TextEncoder().encode('nothing\n')],
  ])('%s fails', async (_, note) => {
    expect((await failures(under(note))).length).toBeGreaterThan(0)
  })

  it('whose signature is taken away fails', async () => {
    const [text = ''] = Buffer.from(log.note()).toString().split('\n\n')
    expect(await failures(under(Buffer.from(`${text}\n\n`)))).toContain('checkpoint')
  })
})

describe('an attacker with keys of his own', () => {
  const own = testLog(mixedSteps(20, attacker))

  it('makes a pack that is whole in itself, and it fails', async () => {
    const forged = await own.pack({ by: attacker })
    const { verdict } = await verifyPack(forged, { crypto, keys: [attacker.publicKey] })
    expect(verdict).toBe('PASS')
    expect(await failures(forged)).toEqual(['key_trusted', 'checkpoint'])
  })

  it('gains nothing by putting the true keys into keys.json, or his own', async () => {
    const forged = await own.pack({ by: attacker })
    const withTrue = rebuilt(forged, (members) => members.set('keys.json', member('keys.json')))
    expect(await failures(withTrue)).toEqual(['keys', 'key_trusted', 'checkpoint'])
    const withHis = rebuilt(pack, (members) =>
      members.set('keys.json', member('keys.json', forged)),
    )
    expect(await failures(withHis)).toEqual(['keys'])
  })

  it('gains nothing by letting himself follow the true key', async () => {
    const steps = mixedSteps(20)
    for (const endorsed of [true, false]) {
      const taken = sealAll([
        ...steps,
        { by: attacker, draft: began(attacker, endorsed), at: 100 },
        { by: attacker, draft: named(decision(acme, 1)), at: 101 },
      ])
      const input = { by: attacker }
      if (endorsed) await expect(logOf(taken).pack(input)).rejects.toThrow('did not')
      else {
        const failed = await failures(await logOf(taken).pack(input))
        expect(failed).toEqual(['key_trusted', 'checkpoint'])
      }
    }
  })

  it('gains nothing by ending the true key himself', async () => {
    const taken = sealAll([
      ...mixedSteps(20),
      { by: attacker, draft: ended(attacker), at: 100 },
      { by: attacker, draft: began(attacker), at: 101 },
    ])
    await expect(logOf(taken).pack({ by: attacker })).rejects.toThrow('ended by itself')
  })

  it('gains nothing by key receipts of another ledger', async () => {
    const twin = await testLog(mixedSteps(20), { ...identity, ledgerId: '66'.repeat(16) }).pack()
    const mixed = rebuilt(pack, (members) => {
      members.set('keys/0.json', member('keys/0.json', twin))
    })
    expect(await failures(mixed)).toEqual(expect.arrayContaining(['key_trusted', 'checkpoint']))
  })

  it('gains nothing by leaving a rotation out', async () => {
    const next = signerOf(2)
    const rotated = testLog([
      ...mixedSteps(6),
      { by: ledgerKey, draft: ended(next), at: 100 },
      { by: next, draft: began(next), at: 101 },
      { by: next, draft: decision(acme, null), at: 102 },
    ])
    const whole = await rotated.pack({ by: next })
    const without = rebuilt(whole, (members) => {
      for (const name of ['keys/6.json', 'keys/6.tlog-proof', 'keys/7.json', 'keys/7.tlog-proof']) {
        members.delete(name)
      }
    })
    expect(await failures(whole)).toEqual([])
    expect(await failures(without)).toContain('signatures')
  })
})

describe('policies', () => {
  it('are those that receipts name, byte for byte', async () => {
    const name = `policy/${policyHash.slice(7)}.bundle`
    const bytes = new TextEncoder().encode('{"a policy":0}')
    expect(await failures(rebuilt(pack, (members) => members.set(name, bytes)))).toEqual([
      'policies',
    ])
    const hash = digest(crypto, bytes).slice(7)
    const renamed = rebuilt(pack, (members) => {
      members.delete(name)
      members.delete(`${name}.sig`)
      members.set(`policy/${hash}.bundle`, bytes)
    })
    expect(await failures(renamed)).toEqual(['policies', 'contents'])
  })
})

describe('a manifest', () => {
  const edited = (more: Readonly<Record<string, Json>>) => reworded(pack, more)
  const scope = (workspace_id: string) => ({
    scope: { tenant_id: 'helm', workspace_id },
  })

  it.each<readonly [string, Readonly<Record<string, Json>>]>([
    ['with a member that nobody knows', { note: 'believe me' }],
    ['of another type', { type: 'helm.evidence/v2' }],
    ['of more receipts than a pack has', { to: 10_001 }],
    ['of a range that runs backwards', { from: 3, to: 2 }],
    ['that begins at 0', { from: 0 }],
    ['with a fraction', { to: 2.5 }],
    ['of a scope that is none', scope('../etc')],
    ['of the scope of keys', scope('system')],
    ['of an origin that is none', { origin: 'A b' }],
    ['that claims more', { does_not_prove: [] }],
    ['that is unclear about salts', { salts: 'yes' }],
    ['that is no object in its contents', { contents: 1 }],
  ])('%s fails', async (_, more) => {
    expect(await failures(edited(more))).toEqual(['manifest'])
  })

  it('that is not canonical, or no JSON, fails', async () => {
    const text = Buffer.from(member('manifest.json')).toString()
    for (const bytes of [`${text}\n`, text.replace(':', ': '), 'x', '[]', '']) {
      const members = membersOf(pack).set('manifest.json', Buffer.from(bytes))
      expect(await failures(tarOf(members))).toEqual(['manifest'])
    }
  })

  it('that tells of another tree size fails', async () => {
    expect(await failures(rebuilt(pack, () => undefined, { treeSize: 19 }))).toEqual(['checkpoint'])
  })
})
