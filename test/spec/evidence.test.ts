import { describe, expect, it } from 'vitest'
import { type Draft, encodeHex, nobleCrypto, scopeOf } from '@helm-ai-kernel/core'
import { buildPack, verifyPack } from '@helm-ai-kernel/core/evidence'
import { parseProof } from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import {
  ledgerKey,
  membersOf,
  mixedSteps,
  policyBytes,
  policyHash,
  testLog,
} from '../support/evidence.ts'
import { asking, key, openOn, sealer } from '../support/ledger.ts'
import { acme, began, decision, ended, other, signerOf, type Step } from '../support/log-entries.ts'
import { memoryDisk } from '../support/memory-disk.ts'

const log = testLog(mixedSteps(20))
const keys = [ledgerKey.publicKey]

async function verdictOf(pack: Uint8Array, more = {}) {
  const { verdict, checks } = await verifyPack(pack, { crypto, keys, ...more })
  return {
    verdict,
    failed: checks.filter(({ status }) => status === 'fail').map(({ name }) => name),
  }
}

describe('an evidence pack', () => {
  it('is the same bytes for the same receipts and the same tree', async () => {
    expect(await log.pack()).toEqual(await log.pack())
    const longer = testLog(mixedSteps(30))
    expect(await longer.pack({ treeSize: 20 })).toEqual(await log.pack())
    expect(await longer.pack()).not.toEqual(await log.pack())
  })

  it('has the members that the design names, sorted', async () => {
    const members = membersOf(await log.pack({ from: 9, to: 11 }))
    expect([...members.keys()]).toEqual([
      'keys.json',
      'keys/0.json',
      'keys/0.tlog-proof',
      'log/checkpoint',
      'log/proofs/10.tlog-proof',
      'log/proofs/11.tlog-proof',
      'log/proofs/9.tlog-proof',
      'manifest.json',
      `policy/${policyHash.slice(7)}.bundle`,
      `policy/${policyHash.slice(7)}.bundle.sig`,
      'receipts/10.json',
      'receipts/11.json',
      'receipts/9.json',
    ])
    expect(members.get(`policy/${policyHash.slice(7)}.bundle`)).toEqual(policyBytes)
    expect(members.get('log/checkpoint')).toEqual(log.note())
  })

  it('says what it proves and what it does not', async () => {
    const manifest: unknown = JSON.parse(
      Buffer.from(membersOf(await log.pack({ to: 3 })).get('manifest.json') ?? '').toString(),
    )
    expect(manifest).toMatchObject({
      type: 'helm.evidence/v1',
      ledger_id: '5a'.repeat(16),
      origin: 'test.example/log',
      scope: { tenant_id: 'acme', workspace_id: 'prod' },
      from: 1,
      to: 3,
      tree_size: 20,
      salts: false,
      does_not_prove: ['that 3 is the last receipt of the scope'],
    })
  })

  it('names public keys with the part of the log that each signed', async () => {
    const document: unknown = JSON.parse(
      Buffer.from(membersOf(await log.pack()).get('keys.json') ?? '').toString(),
    )
    expect(document).toMatchObject({
      keys: [
        {
          key_id: ledgerKey.keyId,
          public_key: encodeHex(ledgerKey.publicKey),
          log_public_key: encodeHex(ledgerKey.log.publicKey),
          first_index: 0,
          last_index: null,
        },
      ],
    })
  })

  it.each([
    ['the native', crypto],
    ['the portable', nobleCrypto],
  ])('is verified from its bytes and one public key, by %s crypto', async (_, own) => {
    const pack = await log.pack({ to: 4 })
    const { verdict, checks, facts } = await verifyPack(pack, { crypto: own, keys })
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([])
    expect(verdict).toBe('PASS')
    expect(facts).toMatchObject({ scope: acme, from: 1, to: 4, treeSize: 20, salts: false })
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ['form', 'pass'],
      ['manifest', 'pass'],
      ['receipts', 'pass'],
      ['chain', 'pass'],
      ['signatures', 'pass'],
      ['keys', 'pass'],
      ['key_trusted', 'pass'],
      ['checkpoint', 'pass'],
      ['inclusion', 'pass'],
      ['held_checkpoint', 'not_applicable'],
      ['policies', 'pass'],
      ['policy_signatures', 'not_applicable'],
      ['salts', 'not_applicable'],
      ['contents', 'pass'],
    ])
  })

  it('has for each receipt a proof that other tools read', async () => {
    const proof = parseProof(
      membersOf(await log.pack()).get('log/proofs/3.tlog-proof') ?? new Uint8Array(),
    )
    expect(proof.index).toBe(log.receipts.find((one) => one.statement.seq === 3)?.logIndex)
    expect(proof.checkpoint).toEqual(log.note())
  })

  it('is of one scope alone', async () => {
    const pack = await log.pack({ scope: other })
    expect(await verdictOf(pack)).toEqual({ verdict: 'PASS', failed: [] })
    const texts = [...membersOf(pack)].filter(([name]) => name.startsWith('receipts/'))
    for (const [, bytes] of texts) {
      const { payload } = JSON.parse(Buffer.from(bytes).toString()) as { payload: string }
      expect(JSON.parse(atob(payload))).toMatchObject({ scope: { workspace_id: 'test' } })
    }
  })

  it('passes with cosignatures on its checkpoint', async () => {
    const line = `— witness.example/w ${btoa('\x01\x02\x03\x04'.padEnd(76, 'x'))}\n`
    const checkpoint = Buffer.concat([log.note(), Buffer.from(line)])
    expect(await verdictOf(await log.pack({ checkpoint }))).toEqual({ verdict: 'PASS', failed: [] })
  })
})

describe('salts', () => {
  const saltOf = () => new Uint8Array(16).fill(3)

  it('are in a pack only when they are asked for, one for each decision', async () => {
    expect(membersOf(await log.pack()).has('salts.json')).toBe(false)
    const pack = await log.pack({ saltOf, to: 3 })
    const salts: unknown = JSON.parse(
      Buffer.from(membersOf(pack).get('salts.json') ?? '').toString(),
    )
    expect(salts).toEqual({
      type: 'helm.salts/v1',
      salts: [2, 3].map((seq) => ({ seq, salt: '03'.repeat(16) })),
    })
    const { verdict, checks } = await verifyPack(pack, { crypto, keys })
    expect(verdict).toBe('PASS')
    expect(checks.find(({ name }) => name === 'salts')?.status).toBe('pass')
  })
})

describe('whom a verifier trusts', () => {
  const next = signerOf(2)
  const third = signerOf(3)
  const rotated: readonly Step[] = [
    ...mixedSteps(6),
    { by: ledgerKey, draft: ended(next), at: 100 },
    { by: next, draft: began(next), at: 101 },
    ...[1, 2, 3].map((at) => ({ by: next, draft: decision(acme, null), at: 101 + at })),
  ]
  const unplanned: readonly Step[] = [
    ...rotated,
    { by: third, draft: began(third, false), at: 200 },
    { by: third, draft: decision(acme, null), at: 201 },
  ]

  it('is nobody when no key is given', async () => {
    const { verdict, failed } = await verdictOf(await log.pack(), { keys: [] })
    expect(verdict).toBe('FAIL')
    expect(failed).toEqual(['key_trusted', 'checkpoint'])
  })

  it('is not a key that the pack carries', async () => {
    const { failed } = await verdictOf(await log.pack(), { keys: [next.publicKey] })
    expect(failed).toEqual(['key_trusted', 'checkpoint'])
    const { checks } = await verifyPack(await log.pack(), { crypto, keys: [next.publicKey] })
    expect(checks.find(({ name }) => name === 'inclusion')?.status).toBe('not_applicable')
  })

  it('is a successor that a trusted key vouched for', async () => {
    const pack = await testLog(rotated).pack({ by: next })
    expect(await verdictOf(pack)).toEqual({ verdict: 'PASS', failed: [] })
  })

  it('is not whoever came before a trusted key', async () => {
    const pack = await testLog(rotated).pack({ by: next })
    const { failed } = await verdictOf(pack, { keys: [next.publicKey] })
    expect(failed).toEqual(['key_trusted'])
  })

  it('is not a successor for which nobody vouched, until it is given too', async () => {
    const pack = await testLog(unplanned).pack({ by: third })
    expect((await verdictOf(pack)).failed).toEqual(['key_trusted', 'checkpoint'])
    const both = [ledgerKey.publicKey, third.publicKey]
    expect(await verdictOf(pack, { keys: both })).toEqual({ verdict: 'PASS', failed: [] })
  })

  it('is the key of the time of each receipt, so a part after a rotation needs the new one alone', async () => {
    const pack = await testLog(unplanned).pack({ from: 7, by: third })
    expect(await verdictOf(pack, { keys: [third.publicKey] })).toEqual({
      verdict: 'PASS',
      failed: [],
    })
  })

  it('is the given log key alone when one is given', async () => {
    const pack = await log.pack()
    const own = { logKeys: [ledgerKey.log.publicKey] }
    expect(await verdictOf(pack, own)).toEqual({ verdict: 'PASS', failed: [] })
    const foreign = { logKeys: [next.log.publicKey] }
    expect((await verdictOf(pack, foreign)).failed).toEqual(['checkpoint'])
    expect((await verdictOf(pack, { logKeys: [] })).failed).toEqual(['checkpoint'])
  })
})

describe('a checkpoint that somebody holds', () => {
  const held = (note: Uint8Array) => ({ checkpoints: [{ name: 'kept.note', note }] })

  it('is the tree of the pack', async () => {
    expect(await verdictOf(await log.pack(), held(log.note()))).toMatchObject({ verdict: 'PASS' })
  })

  it.each([
    ['of another size', log.note(19)],
    [
      'of another history',
      testLog(mixedSteps(20).with(4, { by: ledgerKey, draft: decision(acme, null), at: 5 })).note(),
    ],
    [
      'of another log',
      testLog(mixedSteps(20), { ledgerId: '5a'.repeat(16), origin: 'other.example' }).note(),
    ],
    ['that is none', new Uint8Array(3)],
  ])('%s fails', async (_, note) => {
    expect((await verdictOf(await log.pack(), held(note))).failed).toEqual(['held_checkpoint'])
  })
})

describe('no pack is made', () => {
  const refused = (code: string, phrase: string) =>
    expect.objectContaining({ code, message: expect.stringContaining(phrase) as string }) as unknown

  it.each([
    ['of no receipts', { from: 99 }, 'EVIDENCE_INVALID', 'one at least'],
    ['of helm/system', { scope: scopeOf('helm', 'system') }, 'EVIDENCE_INVALID', 'helm/system'],
    ['of a checkpoint of another key', { by: signerOf(2) }, 'KEY_UNTRUSTED', 'not signed'],
    [
      'of a policy that is not kept',
      { policies: async () => undefined },
      'EVIDENCE_INVALID',
      'is not kept',
    ],
    [
      'of a tree that the tiles do not lead to',
      { tiles: testLog(mixedSteps(20, signerOf(2))).input().tiles },
      'CHECKPOINT_INVALID',
      'another root',
    ],
    [
      'without tiles',
      { tiles: { tile: async () => undefined } },
      'PROOF_INVALID',
      'the log has no',
    ],
  ])('%s', async (_, asked, code, phrase) => {
    await expect(log.pack(asked)).rejects.toEqual(refused(code, phrase))
  })

  it('with a gap, of two scopes, or beyond the tree', async () => {
    const input = log.input()
    const without = input.receipts.filter(({ statement }) => statement.seq !== 3)
    await expect(buildPack({ ...input, receipts: without })).rejects.toEqual(
      refused('EVIDENCE_INVALID', 'without a gap'),
    )
    await expect(buildPack({ ...input, scope: other })).rejects.toEqual(
      refused('EVIDENCE_INVALID', 'acme/test'),
    )
    await expect(buildPack({ ...input, checkpoint: log.note(5) })).rejects.toEqual(
      refused('EVIDENCE_INVALID', 'not in the tree of 5'),
    )
  })

  it('of more than 10,000 receipts or 64 MiB', async () => {
    const input = log.input()
    const [receipt] = input.receipts
    if (receipt === undefined) throw new Error('no receipt')
    const many = Array.from({ length: 10_001 }, () => receipt)
    await expect(buildPack({ ...input, receipts: many })).rejects.toEqual(
      refused('TOO_LARGE', 'narrow the range'),
    )
    const policies = async () => ({ bytes: new Uint8Array(64 * 1024 * 1024) })
    await expect(buildPack({ ...input, policies })).rejects.toEqual(
      refused('TOO_LARGE', 'narrow the range'),
    )
  })
})

describe('a ledger on a disk', () => {
  it('gives the same pack of an old checkpoint after it has grown over many tiles', async () => {
    const ledger = await openOn(memoryDisk())
    const append = (drafts: readonly Draft[]) => ledger.append(drafts, sealer(ledger.identity))
    const asked = (count: number) => Array.from({ length: count }, (_, i) => asking(`ticket.${i}`))
    await append([began(key), ...asked(299)])
    await ledger.publish()
    const checkpoint = (await ledger.checkpoint()) ?? new Uint8Array()
    const pack = async () => {
      const { identity } = ledger
      if (identity === undefined) throw new Error('a ledger without identity')
      const receipts = (await ledger.read(0, 300)).filter(({ statement }) => statement.seq > 250)
      const keyReceipts = await ledger.read(0, 1)
      const policies = async () => undefined
      const input = { crypto, identity, scope: acme, receipts, keyReceipts, checkpoint, policies }
      return buildPack({ ...input, tiles: ledger })
    }
    const first = await pack()
    for (let i = 0; i < 5; i++) await append(asked(200))
    await ledger.publish()
    expect(await pack()).toEqual(first)
    await ledger.close()
    const trusted = { keys: [key.publicKey], checkpoints: [{ name: 'kept', note: checkpoint }] }
    expect(await verdictOf(first, trusted)).toEqual({ verdict: 'PASS', failed: [] })
  })
})
