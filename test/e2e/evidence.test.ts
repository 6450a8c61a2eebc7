import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { encodeHex } from '@helm-ai-kernel/core'
import { cliBench } from '../support/cli.ts'
import { membersOf } from '../support/evidence.ts'
import { policySigner, signedBundle } from '../support/kernel.ts'
import { endAll, runBin, start, type Started } from '../support/process.ts'
import { temporaryFolder } from '../support/server.ts'

// Evidence as it is handed over: made by a running kernel for its operator, and verified by somebody who
// has a file, a public key and the command line.

const adminKey = 'helm_admin-key-of-the-test'
const seed = '42'.repeat(32)
const argument = 'hunter2-is-an-argument'

const bench = cliBench()
/** Where the verifier works: nothing but the pack is there. */
const elsewhere = cliBench()
let folder: string
let api: string
let publicKey: string
let kernel: Started
/** All that processes and answers said. */
let said = ''

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const outcome = await runBin(args, { cwd: bench.folder, env })
  said += outcome.stdout + outcome.stderr
  return outcome
}

const client = () => ({ HELM_URL: api, HELM_API_KEY: adminKey })
const exported = (out: string, ...more: readonly string[]) =>
  run(['evidence', 'export', '--out', out, ...more], client())

/** Starts a kernel on the data directory `name`, and waits until it is ready. */
async function serve(name: string, more: Readonly<Record<string, string>> = {}): Promise<Started> {
  const server = start(['serve'], {
    cwd: folder,
    env: {
      HELM_PORT: '0',
      HELM_HEALTH_PORT: '0',
      HELM_SIGNING_KEY: seed,
      HELM_ADMIN_API_KEY: adminKey,
      HELM_DATA_DIR: join(folder, name),
      HELM_POLICY_PATH: join(folder, 'policy'),
      HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
      HELM_POLICY_SIGNATURE_REQUIRED: 'true',
      HELM_LOG_LEVEL: 'debug',
      ...more,
    },
  })
  const line = await server.line('helm-ai-kernel 0.5.6 is listening')
  await server.line('ready')
  api = String(line['api'])
  return server
}

async function call(path: string, body?: unknown): Promise<Response> {
  return fetch(api + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** Decides so often, and waits until a checkpoint covers the last receipt. */
async function decide(count: number): Promise<void> {
  let id = ''
  for (let i = 0; i < count; i++) {
    const body = { action: 'ticket.read', resource: `ticket:${i}`, args: { argument, i } }
    const answer = (await (await call('/api/v1/evaluate', body)).json()) as { receipt_id: string }
    id = answer.receipt_id
  }
  await vi.waitFor(async () => expect((await call(`/log/proof/${id}`)).status).toBe(200), {
    timeout: 10_000,
  })
}

/** Asks the kernel itself about a pack. */
async function asks(pack: Uint8Array): Promise<{ verdict: string; checks: readonly unknown[] }> {
  const response = await fetch(`${api}/api/v1/evidence/verify`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/x-tar' },
    body: new Uint8Array(pack),
  })
  return (await response.json()) as { verdict: string; checks: readonly unknown[] }
}

beforeAll(async () => {
  folder = await temporaryFolder()
  await fs.mkdir(join(folder, 'policy'))
  const { bytes, signature } = signedBundle(3)
  await fs.writeFile(join(folder, 'policy', 'policy.bundle.sig'), signature)
  await fs.writeFile(join(folder, 'policy', 'policy.bundle'), bytes)
  kernel = await serve('data')
  const { keys } = (await (await call('/api/v1/keys')).json()) as {
    keys: readonly { public_key: string }[]
  }
  publicKey = keys[0]?.public_key ?? ''
  await decide(30)
  expect(await exported('first.tar')).toMatchObject({ code: 0 })
  elsewhere.write('handed-over.tar', bench.read('first.tar'))
  bench.write('first.note', membersOf(bench.read('first.tar')).get('log/checkpoint') ?? '')
}, 60_000)
afterAll(async () => {
  endAll()
  bench.remove()
  elsewhere.remove()
  await fs.rm(folder, { recursive: true })
})

describe('the same export', () => {
  it('is the same bytes twice', async () => {
    expect((await exported('again.tar')).code).toBe(0)
    expect(bench.read('again.tar')).toEqual(bench.read('first.tar'))
  })

  it('is the same bytes after the log has grown, and after kill -9, at its checkpoint', async () => {
    await decide(300)
    expect((await exported('grown.tar')).code).toBe(0)
    expect(bench.read('grown.tar')).not.toEqual(bench.read('first.tar'))
    const at = ['--checkpoint', 'first.note']
    expect((await exported('grown-at.tar', ...at)).code).toBe(0)
    expect(bench.read('grown-at.tar')).toEqual(bench.read('first.tar'))
    kernel.kill('SIGKILL')
    await kernel.ended
    said += kernel.stdout() + kernel.stderr()
    kernel = await serve('data')
    expect((await exported('restarted.tar', ...at)).code).toBe(0)
    expect(bench.read('restarted.tar')).toEqual(bench.read('first.tar'))
  })
})

describe('a pack that was handed over', () => {
  const verify = (...more: readonly string[]) =>
    runBin(['evidence', 'verify', 'handed-over.tar', ...more], { cwd: elsewhere.folder })

  it('is verified with nothing but the command line and a public key', async () => {
    expect(await fs.readdir(elsewhere.folder)).toEqual(['handed-over.tar'])
    const { code, stdout } = await verify('--key', publicKey)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^PASS$/m)])
    expect(stdout).toContain('default/default, seq 1 to 31')
    const signed = await verify(
      '--key',
      publicKey,
      '--policy-key',
      encodeHex(policySigner.publicKey),
    )
    expect([signed.code, signed.stdout]).toEqual([0, expect.stringMatching(/^pass +policy_sign/m)])
  })

  it('fails with another key, and is not verified without one', async () => {
    const other = encodeHex(policySigner.publicKey)
    expect(await verify('--key', other)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^FAIL$/m) as unknown,
    })
    expect((await verify('--key', publicKey, '--policy-key', publicKey)).code).toBe(1)
    expect((await verify('--key', publicKey, '--log-key', other)).code).toBe(1)
    expect((await verify()).code).toBe(2)
    expect((await verify('--key', 'not-a-key')).code).toBe(2)
    expect((await verify('--key', '00'.repeat(32))).code).toBe(2)
  })

  it('fails with one byte changed, wherever', async () => {
    const pack = bench.read('first.tar')
    const places = new Set([0, 1, 99, 124, 148, 156, 257, 500, 512, pack.length - 1])
    for (let i = 1; i < 80; i++) places.add(Math.floor((pack.length * i) / 80))
    for (const name of ['manifest.json', 'keys.json', 'log/checkpoint']) {
      places.add(Buffer.from(pack).indexOf(name))
    }
    for (const place of places) {
      const changed = pack.slice()
      changed[place] = (changed[place] ?? 0) ^ 0x01
      bench.write('changed.tar', changed)
      const { code, stdout } = await bench.run([
        'evidence',
        'verify',
        'changed.tar',
        '--key',
        publicKey,
      ])
      expect([place, code]).toEqual([place, 1])
      expect(stdout).toMatch(/^FAIL$/m)
    }
  }, 120_000)

  it('fails when it is of another tree than a checkpoint that was kept', async () => {
    bench.write('now.note', new Uint8Array(await (await call('/log/checkpoint')).arrayBuffer()))
    const verifyAt = (file: string) =>
      bench.run(['evidence', 'verify', 'first.tar', '--key', publicKey, '--checkpoint', file])
    expect((await verifyAt('first.note')).code).toBe(0)
    const newer = await verifyAt('now.note')
    expect([newer.code, newer.stdout]).toEqual([1, expect.stringContaining('export it again')])
    expect((await verifyAt('first.tar')).code).toBe(1)
    expect((await verifyAt('none.note')).code).toBe(2)
  })
})

describe('what is no pack of this ledger', () => {
  it('of another ledger of the same key is told from its own, by the kernel too', async () => {
    expect(await asks(bench.read('first.tar'))).toMatchObject({ verdict: 'PASS' })
    const before = { kernel, api }
    kernel = await serve('another')
    await decide(3)
    expect((await exported('foreign.tar')).code).toBe(0)
    // It is a good pack of the key. Which ledger it is of is said, and the kernel knows its own.
    const { pack } = await bench.json(['evidence', 'verify', 'foreign.tar', '--key', publicKey])
    const { pack: own } = await bench.json(['evidence', 'verify', 'first.tar', '--key', publicKey])
    expect(pack).not.toMatchObject({ ledger_id: (own as { ledger_id: string }).ledger_id })
    expect(await asks(bench.read('first.tar'))).toMatchObject({ verdict: 'FAIL' })
    expect((await exported('x.tar', '--checkpoint', 'first.note')).code).toBe(2)
    kernel.kill('SIGKILL')
    await kernel.ended
    ;({ kernel, api } = before)
    const answer = await asks(bench.read('foreign.tar'))
    expect(answer.verdict).toBe('FAIL')
    expect(JSON.stringify(answer.checks)).toContain('they are of ledger')
  })

  it('nothing at all, a folder, a device without an end and a file over the limit are refused', async () => {
    const verify = (file: string) => bench.run(['evidence', 'verify', file, '--key', publicKey])
    bench.write('empty.tar', '')
    bench.write('random.tar', randomBytes(4096))
    expect((await verify('empty.tar')).code).toBe(1)
    expect((await verify('random.tar')).code).toBe(1)
    expect((await verify('none.tar')).code).toBe(2)
    expect((await verify('.')).code).toBe(2)
    const large = await fs.open(join(bench.folder, 'large.tar'), 'w')
    await large.truncate(3 * 1024 ** 3)
    await large.close()
    for (const file of ['large.tar', '/dev/zero']) {
      const { code, stderr } = await verify(file)
      expect([code, stderr]).toEqual([2, expect.stringContaining('has more than 67108864 bytes')])
    }
  })
})

describe('an export that cannot be', () => {
  it.each([
    ['a range beyond the end', ['--to', '100000'], /to|at most/],
    ['a range that begins beyond the end', ['--from', '99999'], /no receipt from seq 99999/],
    ['a range that ends before it begins', ['--from', '5', '--to', '4'], /not be less than from/],
    ['a tree that never was', ['--tree-size', '999999'], /newest checkpoint is of/],
    ['a tree without its checkpoint', ['--tree-size', '31'], /send its checkpoint/],
    ['another scope', ['--scope', 'acme/prod'], /default\/default/],
    ['a checkpoint of nothing', ['--checkpoint', 'first.tar'], /checkpoint|UTF-8|text/],
    ['a seq of no number', ['--from', '1e3'], /integer/],
  ])('%s is refused, and nothing is written', async (_, flags, why) => {
    const before = await fs.readdir(bench.folder)
    const { code, stderr } = await exported('never.tar', ...flags)
    expect(code).toBe(2)
    expect(stderr).toMatch(why)
    expect(await fs.readdir(bench.folder)).toEqual(before)
  })

  it('never overwrites a file, nor leaves half of one, nor writes without a credential', async () => {
    const before = bench.read('first.tar')
    expect((await exported('first.tar')).code).toBe(2)
    const wrong = { HELM_URL: api, HELM_API_KEY: 'helm_wrong' }
    const refused = await run(['evidence', 'export', '--out', 'wrong.tar'], wrong)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('AUTH_INVALID')])
    const nobody = { HELM_URL: 'http://127.0.0.1:9', HELM_API_KEY: adminKey }
    const gone = await run(['evidence', 'export', '--out', 'wrong.tar'], nobody)
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('no kernel answers')])
    expect(bench.read('first.tar')).toEqual(before)
    expect(await fs.readdir(bench.folder)).not.toContain('wrong.tar')
    // No device, socket or pipe is replaced by a file, by force either: it could be /dev/null.
    const socket = createServer().listen(join(bench.folder, 'socket'))
    await once(socket, 'listening')
    const forced = await exported('socket', '--force')
    expect([forced.code, forced.stderr]).toEqual([2, expect.stringContaining('is no file')])
    socket.close()
  })
})

describe('salts', () => {
  it('are in a pack only when asked for, and arguments never', async () => {
    expect((await exported('salted.tar', '--salts', '--checkpoint', 'first.note')).code).toBe(0)
    const [plain, salted] = ['first.tar', 'salted.tar'].map((name) => membersOf(bench.read(name)))
    expect(plain?.has('salts.json')).toBe(false)
    const salts = JSON.parse(Buffer.from(salted?.get('salts.json') ?? '').toString()) as {
      salts: readonly { salt: string }[]
    }
    const text = Buffer.from(bench.read('first.tar')).toString('latin1')
    expect(salts.salts.length).toBe(30)
    for (const { salt } of salts.salts) expect(text).not.toContain(salt)
    for (const name of ['first.tar', 'salted.tar']) {
      const pack = Buffer.from(bench.read(name)).toString('latin1')
      for (const secret of [adminKey, seed, argument]) expect(pack).not.toContain(secret)
    }
    const { code } = await bench.run(['evidence', 'verify', 'salted.tar', '--key', publicKey])
    expect(code).toBe(0)
    said += kernel.stdout() + kernel.stderr()
    for (const { salt } of salts.salts) expect(said).not.toContain(salt)
  })

  it('no secret, stack or path was said by any process', () => {
    expect(said.length).toBeGreaterThan(1000)
    for (const secret of [adminKey, seed, argument]) expect(said).not.toContain(secret)
    expect(said).not.toMatch(/^\s+at /m)
    expect(said).not.toContain('node_modules')
  })
})
