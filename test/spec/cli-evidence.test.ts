import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digest, encodeHex, memoryStore } from '@helm-ai-kernel/core'
import { formatVerifierKey } from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { cliBench, type Outcome, serveApp } from '../support/cli.ts'
import { membersOf, rebuilt } from '../support/evidence.ts'
import { keys, testApp, type TestApp } from '../support/http.ts'
import { kernelSigner, policySigner, signedBundle } from '../support/kernel.ts'
import { signerOf } from '../support/log-entries.ts'
import { logOrigin, publishedLog, type PublishedLog } from '../support/published.ts'

const bench = cliBench()
afterAll(bench.remove)

const { bytes: policy, signature } = signedBundle()
const key = encodeHex(kernelSigner.publicKey)
const vkey = (name: string) =>
  formatVerifierKey({ name, publicKey: kernelSigner.log.publicKey }, crypto)

let server: Awaited<ReturnType<typeof serveApp>>
let made: TestApp
let log: PublishedLog
let pack: Uint8Array

beforeAll(async () => {
  const store = memoryStore({ ledgerId: '5a'.repeat(16), origin: logOrigin })
  log = publishedLog(store)
  const evidence = {
    policies: async (hash: string) =>
      hash === digest(crypto, policy) ? { bytes: policy, signature } : undefined,
    salts: kernelSigner,
  }
  made = await testApp({ log, evidence }, { store })
  for (let i = 0; i < 4; i++) await made.evaluate({ action: 'ticket.read' })
  await log.publish()
  server = await serveApp(made.app)
  await exported('whole.tar')
  pack = bench.read('whole.tar')
})
afterAll(() => server.close())

const env = () => ({ HELM_URL: server.url, HELM_API_KEY: keys.reader })

function exported(out: string, ...more: readonly string[]): Promise<Outcome> {
  return bench.run(['evidence', 'export', '--out', out, ...more], { env: env() })
}
function verified(file: string, ...more: readonly string[]): Promise<Outcome> {
  return bench.run(['evidence', 'verify', file, ...more])
}
const temporaries = () => readdirSync(bench.folder).filter((name) => name.endsWith('.tmp'))

describe('evidence export', () => {
  it('writes a pack and says of what it is', async () => {
    const args = ['evidence', 'export', '--out', 'packs/some.tar', '--from', '2', '--to', '3']
    expect(await bench.json(args, { env: env() })).toEqual({
      file: 'packs/some.tar',
      scope: 'default/default',
      from: 2,
      to: 3,
      tree_size: 6,
      bytes: bench.read('packs/some.tar').length,
    })
    const names = [...membersOf(bench.read('packs/some.tar')).keys()]
    expect(names.filter((name) => name.startsWith('receipts/'))).toEqual([
      'receipts/2.json',
      'receipts/3.json',
    ])
  })

  it('is byte for byte the same again, also when the log has moved on', async () => {
    await exported('again.tar')
    expect(bench.read('again.tar')).toEqual(pack)
    bench.write('kept.note', membersOf(pack).get('log/checkpoint') ?? '')
    await made.evaluate({ action: 'ticket.read' })
    await log.publish()
    const older = await exported('older.tar', '--checkpoint', 'kept.note', '--tree-size', '6')
    expect(older.code).toBe(0)
    expect(bench.read('older.tar')).toEqual(pack)
    expect((await exported('newer.tar', '--tree-size', '6')).stderr).toContain('of 7 entries')
  })

  it('discloses salts only with --salts', async () => {
    await exported('salts.tar', '--salts')
    expect(membersOf(bench.read('salts.tar')).has('salts.json')).toBe(true)
    expect(membersOf(pack).has('salts.json')).toBe(false)
  })

  it('overwrites nothing without --force', async () => {
    bench.write('mine.txt', 'mine')
    const refused = await exported('mine.txt')
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toContain('mine.txt is there already')
    expect(bench.text('mine.txt')).toBe('mine')
    expect((await exported('mine.txt', '--force')).code).toBe(0)
    expect((await verified('mine.txt', '--key', key)).code).toBe(0)
  })

  it.each([
    ['a range beyond the end', ['--to', '99'], 'the last receipt in the tree'],
    [
      'a scope that the key is not of',
      ['--scope', 'acme/prod'],
      'the API key is of default/default',
    ],
    ['a checkpoint of another log', ['--checkpoint', 'other.note'], 'this log published'],
  ])('writes nothing for %s', async (_, flags, phrase) => {
    bench.write(
      'other.note',
      Buffer.from(membersOf(pack).get('log/checkpoint') ?? '')
        .toString()
        .replace(logOrigin, 'other.example'),
    )
    const { code, stderr } = await exported('none.tar', ...flags)
    expect(code).toBe(2)
    expect(stderr).toContain(phrase)
    expect(() => bench.read('none.tar')).toThrow('ENOENT')
    expect(temporaries()).toEqual([])
  })

  it('writes nothing where it cannot, and leaves nothing behind', async () => {
    bench.write('file', '')
    const { code, stderr } = await exported('file/none.tar')
    expect(code).toBe(2)
    expect(stderr).toContain('cannot be written')
    expect(temporaries()).toEqual([])
  })

  it('takes nothing for a pack that is none', async () => {
    const answer = new Response('<html>welcome</html>')
    const other = await serveApp({ fetch: () => answer.clone() })
    const { code, stderr } = await bench.run(
      ['evidence', 'export', '--out', 'none.tar', '--url', other.url],
      { env: env() },
    )
    other.close()
    expect(code).toBe(2)
    expect(stderr).toContain('not an evidence pack')
    expect(() => bench.read('none.tar')).toThrow('ENOENT')
  })

  it.each([
    ['no --out', []],
    ['--from 0', ['--out', 'x.tar', '--from', '0']],
    ['--to x', ['--out', 'x.tar', '--to', 'x']],
    ['--scope acme', ['--out', 'x.tar', '--scope', 'acme']],
  ])('%s is a usage error', async (_, args) => {
    const { code, stderr } = await bench.run(['evidence', 'export', ...args], { env: env() })
    expect(code).toBe(2)
    expect(stderr).toContain('USAGE_INVALID')
  })

  it('needs a credential that may read', async () => {
    const { code, stderr } = await bench.run(['evidence', 'export', '--out', 'none.tar'], {
      env: { HELM_URL: server.url },
    })
    expect([code, stderr.includes('AUTH_MISSING')]).toEqual([2, true])
  })
})

describe('evidence verify', () => {
  it('passes with nothing but the file and a public key', async () => {
    const { code, stdout, stderr } = await verified('whole.tar', '--key', key.toUpperCase())
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('PASS')
    expect(stdout).toContain(
      `default/default, seq 1 to 5, in the tree of 6 entries of ${logOrigin}`,
    )
    const document = await bench.json(['evidence', 'verify', 'whole.tar', '--key', key])
    expect(document).toMatchObject({
      verdict: 'PASS',
      pack: { scope: 'default/default', from: 1, to: 5, tree_size: 6, origin: logOrigin },
    })
  })

  it('fails a pack that was changed, with the check that did not hold', async () => {
    bench.write('changed.tar', await rebuilt(pack, (members) => members.delete('receipts/3.json')))
    const { code, stdout } = await verified('changed.tar', '--key', key)
    expect(code).toBe(1)
    expect(stdout).toContain('receipts/3.json is missing')
    expect(stdout).toContain('FAIL')
  })

  it('fails what is no pack', async () => {
    bench.write('text.tar', 'hello')
    const { code, stdout } = await verified('text.tar', '--key', key)
    expect([code, stdout.includes('not an evidence pack')]).toEqual([1, true])
  })

  it('trusts no key but those given', async () => {
    const none = await verified('whole.tar')
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('the keys that a pack carries are never trusted')
    const foreign = encodeHex(signerOf(2).publicKey)
    expect((await verified('whole.tar', '--key', foreign)).code).toBe(1)
    expect((await verified('whole.tar', '--key', foreign, '--key', key)).code).toBe(0)
  })

  it('takes the log key in hex or as log tools write it, and then no other', async () => {
    const own = encodeHex(kernelSigner.log.publicKey)
    for (const [logKey, code] of [
      [own, 0],
      [vkey(logOrigin), 0],
      [vkey('other.example'), 1],
      [encodeHex(signerOf(2).log.publicKey), 1],
    ] as const) {
      const outcome = await verified('whole.tar', '--key', key, '--log-key', logKey)
      expect([logKey, outcome.code]).toEqual([logKey, code])
    }
    const two = ['--log-key', vkey(logOrigin), '--log-key', vkey('other.example')]
    expect((await verified('whole.tar', '--key', key, ...two)).code).toBe(2)
  })

  it('looks at the signatures of policies when it is given their key', async () => {
    const policyKey = encodeHex(policySigner.publicKey)
    const good = await verified('whole.tar', '--key', key, '--policy-key', policyKey)
    expect([good.code, /pass +policy_signatures/.test(good.stdout)]).toEqual([0, true])
    expect((await verified('whole.tar', '--key', key, '--policy-key', key)).code).toBe(1)
  })

  it('holds the pack against a checkpoint that was kept', async () => {
    bench.write('kept.note', membersOf(pack).get('log/checkpoint') ?? '')
    const same = await verified('whole.tar', '--key', key, '--checkpoint', 'kept.note')
    expect(same.code).toBe(0)
    await log.publish(3)
    bench.write('early.note', (await log.checkpoint()) ?? '')
    await log.publish()
    const other = await verified('whole.tar', '--key', key, '--checkpoint', 'early.note')
    expect([other.code, other.stdout.includes('early.note')]).toEqual([1, true])
  })

  it.each([
    ['a file that is not there', ['nowhere.tar', '--key', key], 'FILE_UNUSABLE'],
    ['a key that is none', ['whole.tar', '--key', 'x'], 'KEY_INVALID'],
    ['a log key that is none', ['whole.tar', '--key', key, '--log-key', 'a+b+c'], 'KEY_INVALID'],
    ['no file', ['--key', key], 'USAGE_INVALID'],
  ])('%s is an error, not a verdict', async (_, args, code) => {
    const outcome = await bench.run(['evidence', 'verify', ...args])
    expect([outcome.code, outcome.stdout]).toEqual([2, ''])
    expect(outcome.stderr).toContain(code)
  })
})
