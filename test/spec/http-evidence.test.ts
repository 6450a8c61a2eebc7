import { describe, expect, test } from 'vitest'
import {
  digest,
  encodeHex,
  memoryStore,
  type ReceiptStore,
  type Stored,
  systemScope,
  trustKeys,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { verifyPack } from '@helm-ai-kernel/core/evidence'
import { saltedHash } from '@helm-ai-kernel/core/receipt'
import type { AppOptions } from '@helm-ai-kernel/http'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { keysOf } from '../../packages/host/src/ledger-keys.ts'
import { ledgerKey, membersOf, mixedSteps, rebuilt, testLog } from '../support/evidence.ts'
import { bearer, keys, post, problemOf, type TestApp, testApp } from '../support/http.ts'
import { kernelSigner, signedBundle, trust } from '../support/kernel.ts'
import { logOrigin, type PublishedLog, publishedLog } from '../support/published.ts'

const { bytes: policy, signature } = signedBundle()
const policyHash = digest(crypto, policy)
const identity = { ledgerId: '5a'.repeat(16), origin: logOrigin }

const evidence: NonNullable<AppOptions['evidence']> = {
  policies: async (hash) => (hash === policyHash ? { bytes: policy, signature } : undefined),
  salts: kernelSigner,
}

interface Bench extends TestApp {
  readonly log: PublishedLog
  readonly pack: (body?: unknown, key?: string) => Promise<Response>
  readonly verify: (pack: Uint8Array | string, type?: string) => Promise<Response>
}

async function bench(more: Partial<AppOptions> = {}, store: ReceiptStore = memoryStore(identity)) {
  const log = publishedLog(store)
  const app = await testApp(
    { log, evidence, keys: () => keysOf(store, crypto), ...more },
    { store },
  )
  const made: Bench = {
    ...app,
    log,
    pack: (body = {}, key = keys.reader) =>
      app.call('/api/v1/evidence/export', post(JSON.stringify(body), bearer(key))),
    verify: (pack, type = 'application/x-tar') =>
      app.call('/api/v1/evidence/verify', {
        method: 'POST',
        body: pack as Uint8Array<ArrayBuffer>,
        headers: { 'content-type': type },
      }),
  }
  return made
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  if (response.status !== 200) throw new Error(await response.text())
  return new Uint8Array(await response.arrayBuffer())
}

/** Five receipts: an activation and four decisions; all published. */
async function filled(more: Partial<AppOptions> = {}): Promise<Bench> {
  const made = await bench(more)
  for (let i = 0; i < 4; i++) await made.evaluate({ action: 'ticket.read', args: { i } })
  await made.log.publish()
  return made
}

describe('POST /api/v1/evidence/export', () => {
  test('gives the whole scope in the newest published tree, verified with one public key', async () => {
    const { pack } = await filled()
    const response = await pack()
    expect(response.headers.get('content-type')).toBe('application/x-tar')
    expect(response.headers.get('content-disposition')).toBe(
      'attachment; filename="evidence-default-default-1-5.tar"',
    )
    const result = await verifyPack(await bytesOf(response), {
      crypto,
      keys: [kernelSigner.publicKey],
    })
    expect(result).toMatchObject({ verdict: 'PASS', facts: { from: 1, to: 5, treeSize: 6 } })
  })

  test('gives the same bytes twice, and at an older checkpoint when it is sent', async () => {
    const { pack, evaluate, log } = await filled()
    const first = await bytesOf(await pack())
    expect(await bytesOf(await pack())).toEqual(first)
    await evaluate({ action: 'ticket.read' })
    await log.publish()
    expect(await bytesOf(await pack())).not.toEqual(first)
    const note = Buffer.from(membersOf(first).get('log/checkpoint') ?? '').toString()
    expect(await bytesOf(await pack({ checkpoint: note }))).toEqual(first)
    expect(await bytesOf(await pack({ checkpoint: note, tree_size: 6 }))).toEqual(first)
  })

  test('gives a range, policies and their signatures', async () => {
    const { pack } = await filled()
    const members = membersOf(await bytesOf(await pack({ from: 2, to: 3, tree_size: 6 })))
    const names = [...members.keys()].filter((name) => /^(receipts|policy)/.test(name))
    const bundle = `policy/${policyHash.slice(7)}.bundle`
    expect(names).toEqual([bundle, `${bundle}.sig`, 'receipts/2.json', 'receipts/3.json'])
    expect(members.get(bundle)).toEqual(policy)
  })

  test('gives policies whose signatures hold for who trusts their key', async () => {
    const { pack } = await filled()
    const bytes = await bytesOf(await pack())
    const check = async (tar: Uint8Array, policyTrust: TrustRoot) => {
      const { checks } = await verifyPack(tar, { crypto, keys: [], policyTrust })
      return checks.find(({ name }) => name === 'policy_signatures')
    }
    expect(await check(bytes, trust)).toMatchObject({ status: 'pass' })
    const foreign = trustKeys([encodeHex(kernelSigner.publicKey)], crypto)
    expect(await check(bytes, foreign)).toMatchObject({ status: 'fail' })
    const sig = `policy/${policyHash.slice(7)}.bundle.sig`
    const unsigned = await rebuilt(bytes, (members) => members.delete(sig))
    expect(await check(unsigned, trust)).toMatchObject({ status: 'fail' })
  })

  test('gives nothing of another scope', async () => {
    const made = await filled()
    const other = { headers: { 'content-type': 'application/json', ...bearer(keys.other) } }
    await made.evaluate({ action: 'ticket.read' }, other)
    await made.log.publish()
    const pack = await bytesOf(await made.pack({}, keys.other))
    const { facts } = await verifyPack(pack, { crypto, keys: [] })
    expect(facts).toMatchObject({
      scope: { tenantId: 'acme', workspaceId: 'prod' },
      from: 1,
      to: 1,
    })
  })

  test('gives salts only when asked, and they show the arguments', async () => {
    const { pack, store } = await filled()
    expect(membersOf(await bytesOf(await pack())).has('salts.json')).toBe(false)
    expect(membersOf(await bytesOf(await pack({ salts: false }))).has('salts.json')).toBe(false)
    const members = membersOf(await bytesOf(await pack({ from: 2, salts: true })))
    const { salts } = JSON.parse(Buffer.from(members.get('salts.json') ?? '').toString()) as {
      salts: readonly { readonly seq: number; readonly salt: string }[]
    }
    const decisions = (await store.read(0, 9)).filter(
      ({ statement }) => statement.kind === 'decision',
    )
    expect(decisions.map(({ statement }) => [statement.seq, argsHash(statement)])).toEqual(
      salts.map(({ seq, salt }, i) => [
        seq,
        saltedHash(crypto, 'args', Buffer.from(salt, 'hex'), { i }),
      ]),
    )
  })

  test('gives no salts that it could give only in part, or has not', async () => {
    const { pack } = await filled({ evidence: { ...evidence, salts: ledgerKey } })
    expect(await problemOf(await pack({ salts: true }))).toMatchObject({
      status: 400,
      detail: expect.stringContaining('up to seq 5') as string,
    })
    const without = await filled({ evidence: { policies: evidence.policies } })
    expect((await without.pack({ salts: true })).status).toBe(400)
    expect((await without.pack()).status).toBe(200)
  })

  test.each([
    ['{"scope":"acme/prod"}', 400, 'scope'],
    ['{"from":0}', 400, 'from'],
    ['{"from":1.5}', 400, 'from'],
    ['{"from":"1"}', 400, 'from'],
    ['{"to":-1}', 400, 'to'],
    ['{"from":3,"to":2}', 400, 'to'],
    ['{"to":6}', 400, 'seq 5'],
    ['{"from":6}', 404, 'from seq 6'],
    ['{"to":10001}', 413, '10000'],
    ['{"tree_size":5}', 400, 'of 6 entries'],
    ['{"tree_size":7}', 400, 'tree_size'],
    ['{"salts":1}', 400, 'salts'],
    ['{"checkpoint":"x"}', 400, 'checkpoint'],
    ['[]', 400, 'object'],
    ['', 400, 'JSON'],
  ])('%s is %i and says why', async (body, status, phrase) => {
    const { call } = await filled()
    const answer = await problemOf(await call('/api/v1/evidence/export', post(body)))
    expect(answer).toMatchObject({ status })
    expect(answer.detail).toContain(phrase)
  })

  test('takes no checkpoint but one of this log, and none beyond the published', async () => {
    const { pack, log } = await filled()
    const published = await log.checkpoint()
    const text = (note: Uint8Array | undefined) => Buffer.from(note ?? '').toString()
    const foreign = testLog(mixedSteps(6), { ...identity }).note(6, kernelSigner)
    const unsigned = testLog(mixedSteps(6), { ...identity }).note(6)
    const elsewhere = testLog(mixedSteps(6)).note(6, kernelSigner)
    const longer = testLog(mixedSteps(9), { ...identity }).note(9, kernelSigner)
    for (const note of [foreign, unsigned, elsewhere, longer]) {
      const answer = await problemOf(await pack({ checkpoint: text(note) }))
      expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
      expect(answer.detail).toContain('checkpoint')
    }
    expect((await pack({ checkpoint: text(published) })).status).toBe(200)
    const both = await problemOf(await pack({ checkpoint: text(published), tree_size: 5 }))
    expect(both).toMatchObject({ status: 400 })
  })

  test('gives at most 10,000 receipts, whatever is asked', async () => {
    const receipt = (await (await filled()).store.read(1, 2))[0]
    if (receipt === undefined) throw new Error('no receipt')
    const store = memoryStore(identity)
    const many: ReceiptStore = {
      ...store,
      find: async (query) =>
        query.scope === systemScope ? store.find(query) : endless(receipt, query.limit),
    }
    const made = await bench({ receipts: many }, store)
    await made.log.publish()
    expect(await problemOf(await made.pack())).toMatchObject({ status: 413, code: 'TOO_LARGE' })
  })

  test('before a checkpoint is published is 404, and of an empty scope too', async () => {
    const { pack, log } = await bench()
    expect(await problemOf(await pack())).toMatchObject({ status: 404 })
    await log.publish()
    expect(await problemOf(await pack({}, keys.other))).toMatchObject({
      status: 404,
      detail: expect.stringContaining('acme/prod has no receipt') as string,
    })
  })

  test('of a policy that is not kept is a fault, whose cause the log has', async () => {
    const { pack, events } = await filled({ evidence: { policies: async () => undefined } })
    const answer = await problemOf(await pack())
    expect(answer).toMatchObject({ status: 500, code: 'INTERNAL' })
    expect(answer.detail).not.toContain(policyHash)
    expect(String(events.at(-1)?.cause)).toContain(policyHash)
  })

  test('needs the role read, and a host that has evidence', async () => {
    const { pack } = await filled()
    expect((await pack({}, keys.auditor)).status).toBe(403)
    const bare = await testApp()
    const answer = await bare.call('/api/v1/evidence/export', post('{}'))
    expect(answer.status).toBe(404)
  })

  test('counts as being made until it is sent, or nobody reads on', async () => {
    const { pack } = await filled()
    const [first, second] = [await pack(), await pack()]
    expect([first.status, second.status]).toEqual([200, 200])
    const third = await pack()
    expect(third.headers.get('retry-after')).toBe('5')
    expect(await problemOf(third)).toMatchObject({ status: 503, code: 'OVERLOADED' })
    const bytes = await bytesOf(first)
    expect(Number(first.headers.get('content-length'))).toBe(bytes.length)
    const fourth = await pack()
    expect(fourth.status).toBe(200)
    expect((await pack()).status).toBe(503)
    await second.body?.cancel()
    expect(await bytesOf(await pack())).toEqual(bytes)
    await fourth.body?.cancel()
  })
})

describe('POST /api/v1/evidence/verify', () => {
  test('passes a pack of this ledger and fails what is not, both with 200', async () => {
    const { pack, verify } = await filled()
    const own = await bytesOf(await pack())
    const good = await verify(own)
    expect([good.status, await good.json()]).toEqual([
      200,
      expect.objectContaining({ verdict: 'PASS', checks: expect.any(Array) as unknown }),
    ])
    const changed = await rebuilt(own, (members) => members.delete('receipts/2.json'))
    const foreign = await testLog(mixedSteps(5)).pack()
    for (const bad of [changed, foreign, new Uint8Array(), new Uint8Array(1024), own.slice(1)]) {
      const response = await verify(bad)
      expect([response.status, await response.json()]).toEqual([
        200,
        expect.objectContaining({ verdict: 'FAIL' }),
      ])
    }
  })

  test('takes a tar alone, and more than another body may have', async () => {
    const { verify } = await filled()
    expect((await verify('{}', 'application/json')).status).toBe(415)
    expect((await verify(new Uint8Array(2 * 1024 * 1024))).status).toBe(200)
    const answer = await verify(new Uint8Array(64 * 1024 * 1024 + 1))
    expect(await problemOf(answer)).toMatchObject({ status: 413, code: 'TOO_LARGE' })
  })

  test('is done for two at a time, and the third is told to come again', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    const { verify, call } = await filled({
      keys: async () => {
        await held
        return []
      },
    })
    const first = [verify(new Uint8Array(1)), verify(new Uint8Array(1))]
    const third = await verify(new Uint8Array(1))
    expect(third.headers.get('retry-after')).toBe('5')
    expect(await problemOf(third)).toMatchObject({ status: 503, code: 'OVERLOADED' })
    expect((await call('/api/v1/receipts')).status).toBe(200)
    release()
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200])
  })
})

function argsHash(statement: Stored['statement']): string {
  return statement.kind === 'decision' ? statement.args_hash : ''
}

function endless(receipt: Stored, limit: number) {
  return { receipts: Array.from({ length: limit }, () => receipt), hasMore: true }
}
