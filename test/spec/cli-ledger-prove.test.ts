import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeHex, scopeKey, type Stored, type Tiles } from '@helm-ai-kernel/core'
import {
  claimedCheckpoint,
  cosignerOf,
  formatVerifierKey,
  openCheckpoint,
  parseProof,
  signCheckpoint,
  witness,
} from '@helm-ai-kernel/core/log'
import { nodeDisk } from '@helm-ai-kernel/host'
import { readLedger } from '@helm-ai-kernel/ledger'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { cliBench, serveApp } from '../support/cli.ts'
import { keys, testApp } from '../support/http.ts'
import { kernelSigner } from '../support/kernel.ts'
import { asking, key as ledgerKey, ledgerFiles } from '../support/ledger.ts'
import { acme, activation } from '../support/log-entries.ts'
import { type LogServer, logServer, logVkey } from '../support/log-server.ts'
import { logOrigin } from '../support/published.ts'

const bench = cliBench()
afterAll(bench.remove)

const witnessKey = crypto.signer(new Uint8Array(32).fill(77))
const self = {
  crypto,
  signer: witnessKey,
  name: 'witness.example/w1',
  origin: logOrigin,
  logKeys: [kernelSigner.log.publicKey],
}
const witnessVkey = formatVerifierKey(cosignerOf(self), crypto)

let server: LogServer
let ids: readonly string[]
beforeAll(async () => {
  server = await logServer()
  ids = await server.decide(290)
  const early = await server.log.publish(280)
  bench.write('early.note', early)
  const time = 1_790_000_000
  const offer = { last: undefined, next: early, tiles: server.log, time }
  bench.write('cosigned.note', (await witness(self, offer)).note)
  await server.log.publish()
  for (const [name, id] of [
    ['first', ids[0]],
    ['other', ids[1]],
  ] as const) {
    const receipt = await server.call(`/api/v1/receipts/${id}`)
    bench.write(`${name}.json`, await receipt.text())
  }
})
afterAll(() => server.close())

const env = () => ({ HELM_URL: server.url, HELM_API_KEY: keys.agent })
const prove = (...args: readonly string[]) =>
  bench.run(['ledger', 'prove', ...args], { env: env() })
const first = () => ids[0] ?? expect.unreachable()

describe('ledger prove <receipt>', () => {
  it('writes a proof in the newest checkpoint to stdout, and nothing else', async () => {
    for (const id of [first(), ids[289] ?? '']) {
      const { code, stdout, stderr } = await prove(id)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const { checkpoint } = parseProof(new TextEncoder().encode(stdout))
      const log = { origin: logOrigin, publicKey: kernelSigner.log.publicKey }
      expect(openCheckpoint(checkpoint, log, crypto).size).toBe((await server.store.state()).size)
    }
  })

  it('puts it in a file with --out, and says what was checked', async () => {
    const { code, stdout } = await prove(first(), '--out', 'made.tlog-proof', '--log-key', logVkey)
    expect(code).toBe(0)
    expect(stdout).toMatch(/pass\s+inclusion.*\n.*pass\s+log_key/)
    expect(bench.text('made.tlog-proof')).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex \d+\n/)
    const unpinned = await prove(first(), '--out', 'made.tlog-proof')
    expect(unpinned.stdout).toMatch(/-\s+log_key\s+no --log-key was given/)
  })

  it('has the proof in its one document with --json', async () => {
    const document = await bench.json(['ledger', 'prove', first()], { env: env() })
    expect(document).toMatchObject({ verdict: 'PASS', receipt_id: first(), file: null })
    expect(document['proof']).toMatch(/^c2sp\.org\/tlog-proof@v1\n/)
  })

  it('proves it in a tree that a witness cosigned', async () => {
    const args = ['--checkpoint', 'cosigned.note', '--witness', witnessVkey]
    const { code, stdout } = await prove(first(), ...args, '--out', 'cosigned.tlog-proof')
    expect(code).toBe(0)
    expect(stdout).toMatch(/pass\s+witness witness\.example\/w1\s+cosigned at 2026-/)
    const plain = await prove(first(), '--witness', witnessVkey, '--out', 'never')
    expect(plain.code).toBe(1)
    expect(plain.stdout).toMatch(/fail\s+witness witness\.example\/w1\s+KEY_UNTRUSTED/)
    expect(() => bench.read('never')).toThrow()
  })

  it('writes nothing when the log is not that of the key', async () => {
    const stranger = formatVerifierKey({ name: logOrigin, publicKey: witnessKey.publicKey }, crypto)
    const { code, stdout } = await prove(first(), '--log-key', stranger, '--out', 'never')
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+checkpoint\s+KEY_UNTRUSTED/)
    expect(() => bench.read('never')).toThrow()
  })

  it('writes nothing when tiles and checkpoint disagree', async () => {
    const tile: Tiles['tile'] = async (tile) => (await server.log.tile(tile))?.map((b) => b ^ 1)
    const lying = await testApp({ log: { ...server.log, tile } }, { store: server.store })
    const liar = await serveApp(lying.app)
    const args = ['--url', liar.url, '--log-key', logVkey, '--out', 'never']
    const { code, stdout } = await prove(first(), ...args)
    liar.close()
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+inclusion\s+PROOF_INVALID/)
    expect(() => bench.read('never')).toThrow()
  })

  it('says that a receipt is not there', async () => {
    const { code, stderr } = await prove(`rcpt-${'0'.repeat(64)}`)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error NOT_FOUND: this scope has no receipt/)
  })

  it('waits for the checkpoint that covers a new receipt', async () => {
    const fresh = await logServer()
    const [id = ''] = await fresh.decide(1)
    const later = setTimeout(() => void fresh.log.publish(), 300)
    const { code } = await prove(id, '--url', fresh.url)
    clearTimeout(later)
    fresh.close()
    expect(code).toBe(0)
  })
})

describe('ledger prove --check', () => {
  const check = (proof: string, ...args: readonly string[]) =>
    bench.run(['ledger', 'prove', '--check', proof, ...args])
  const good = ['--entry', 'first.json', '--log-key', logVkey]
  beforeAll(async () => {
    await prove(first(), '--out', 'good.tlog-proof')
    const args = ['--checkpoint', 'cosigned.note', '--out', 'cosigned.tlog-proof']
    await prove(first(), ...args)
  })

  it('passes a proof offline, by a key in either form', async () => {
    const hex = encodeHex(kernelSigner.log.publicKey)
    for (const key of [
      ['--log-key', logVkey],
      ['--log-key', hex, '--origin', logOrigin],
    ]) {
      const { code, stdout } = await check('good.tlog-proof', '--entry', 'first.json', ...key)
      expect(code).toBe(0)
      expect(stdout).toContain('\nPASS\n')
    }
  })

  it('wants the witnesses that are named', async () => {
    const args = [...good, '--witness', witnessVkey]
    expect((await check('cosigned.tlog-proof', ...args)).code).toBe(0)
    expect((await check('good.tlog-proof', ...args)).code).toBe(1)
  })

  it('fails for another receipt', async () => {
    const { code, stdout } = await check(
      'good.tlog-proof',
      ...['--entry', 'other.json', '--log-key', logVkey],
    )
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+inclusion\s+PROOF_INVALID/)
  })

  it('fails with any character of the proof changed', async () => {
    const text = bench.text('good.tlog-proof')
    for (let i = 0; i < text.length; i += 7) {
      const other = text[i] === 'A' ? 'B' : 'A'
      bench.write('changed', text.slice(0, i) + other + text.slice(i + 1))
      expect((await check('changed', ...good)).code, `${i}`).toBe(1)
    }
  })

  it.each([
    ['no key', ['--entry', 'first.json'], /--check needs the key/],
    ['no receipt', ['--log-key', logVkey], /--check needs the receipt/],
    ['a hex key of no log', [...good.slice(0, 2), '--log-key', '00'.repeat(32)], /--origin|KEY_/],
    ['a witness’s key', [...good.slice(0, 2), '--log-key', witnessVkey], /is a witness's/],
    ['a log’s key as a witness', [...good, '--witness', logVkey], /is a log's/],
    ['a receipt id beside it', [...good, `rcpt-${'0'.repeat(64)}`], /give one of/],
    ['--origin of another log', [...good, '--origin', 'other'], /--origin is another/],
  ])('refuses %s', async (_, args, message) => {
    const { code, stderr } = await check('good.tlog-proof', ...args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})

describe('ledger prove --from', () => {
  const forked = () => {
    const head = { origin: logOrigin, size: 280, root: new Uint8Array(32) }
    return signCheckpoint(head, kernelSigner.log, crypto)
  }

  it('passes while the log continues a checkpoint, whoever kept it', async () => {
    for (const note of ['early.note', 'cosigned.note']) {
      const { code, stdout } = await prove('--from', note, '--log-key', logVkey)
      expect(code).toBe(0)
      expect(stdout).toMatch(/pass\s+history\s+unchanged since size 280/)
    }
    bench.write('newest.note', (await server.log.checkpoint()) ?? '')
    expect((await prove('--from', 'newest.note')).code).toBe(0)
  })

  it('fails when history is another', async () => {
    bench.write('forked.note', forked())
    const { code, stdout } = await prove('--from', 'forked.note')
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+history\s+LOG_FORKED/)
    expect(stdout).toContain('fix: keep both checkpoints')
  })

  it('fails when the log is shorter than it was', async () => {
    bench.write('newest.note', (await server.log.checkpoint()) ?? '')
    const size = (await server.store.state()).size
    await server.log.publish(250)
    const { code, stdout } = await prove('--from', 'newest.note')
    await server.log.publish(size)
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+history\s+LOG_ROLLED_BACK/)
  })

  it('fails for a checkpoint that the log never signed', async () => {
    const head = { origin: logOrigin, size: 280, root: new Uint8Array(32) }
    bench.write('forged.note', signCheckpoint(head, witnessKey, crypto))
    const { code, stdout } = await prove('--from', 'forged.note')
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+held\s+KEY_UNTRUSTED/)
  })

  it('is a fault, not a verdict, when nothing answers', async () => {
    const args = ['--from', 'early.note', '--log-key', logVkey, '--url', 'http://127.0.0.1:1']
    const { code, stderr } = await prove(...args)
    expect(code).toBe(2)
    expect(stderr).toContain('KERNEL_UNREACHABLE')
  })
})

describe('ledger prove --data-dir', () => {
  const files = ['--data-dir', 'data', '--scope', scopeKey(acme)]
  let stored: readonly Stored[]
  beforeAll(async () => {
    const drafts = Array.from({ length: 300 }, (_, i) => asking(`action-${i}`))
    for (const [path, bytes] of await ledgerFiles([activation(acme, 1)], drafts)) {
      mkdirSync(dirname(join(bench.folder, 'data', path)), { recursive: true })
      bench.write(join('data', path), bytes)
    }
    const ledger = await readLedger(nodeDisk(join(bench.folder, 'data')), crypto)
    stored = await ledger.read(0, ledger.size)
  })

  it('proves a receipt of a kernel that need not run', async () => {
    for (const at of [2, 255, 256, 301]) {
      const { receiptId, entry } = stored[at] ?? expect.unreachable()
      const { code, stderr } = await prove(receiptId, ...files, '--out', 'files.tlog-proof')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      bench.write('entry.json', entry)
      const { checkpoint } = parseProof(bench.read('files.tlog-proof'))
      const { origin } = claimedCheckpoint(checkpoint)
      const key = ['--log-key', encodeHex(ledgerKey.log.publicKey), '--origin', origin]
      const args = ['--check', 'files.tlog-proof', '--entry', 'entry.json', ...key]
      expect((await prove(...args)).code).toBe(0)
    }
  })

  it('proves that history is unchanged', async () => {
    bench.write('kept.note', bench.read('data/ledger/checkpoint'))
    expect((await prove('--from', 'kept.note', '--data-dir', 'data')).code).toBe(0)
    expect((await prove('--from', 'early.note', '--data-dir', 'data')).code).toBe(1)
  })

  it('says where it looked', async () => {
    const { receiptId } = stored[2] ?? expect.unreachable()
    const other = await prove(receiptId, '--data-dir', 'data')
    expect(other.code).toBe(2)
    expect(other.stderr).toMatch(/^error NOT_FOUND: default\/default has no receipt .*--scope/)
    const nowhere = await prove(receiptId, '--data-dir', 'nowhere')
    expect(nowhere.code).toBe(2)
    expect(nowhere.stderr).toMatch(/^error LEDGER_MISSING: /)
    const both = await prove(receiptId, ...files, '--url', server.url)
    expect(both.stderr).toMatch(/give one of --data-dir and --url/)
  })
})
