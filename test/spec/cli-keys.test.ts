import { join } from 'node:path'
import { encodeHex, noTrust, scopeOf, signer } from '@helm-ai-kernel/core'
import {
  createLog,
  hostClock,
  hostRandom,
  nodeCrypto,
  parseConfiguration,
} from '@helm-ai-kernel/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDurableKernel } from '../../packages/host/src/durable-kernel.ts'
import { loadSigningKey } from '../../packages/host/src/signing-key.ts'
import { type Bench, cliBench, type Outcome } from '../support/cli.ts'
import { startServer, type TestServer } from '../support/server.ts'

const seeds = ['01', '02', '03'].map((byte) => byte.repeat(32))
const [one, two, three] = seeds.map((_, i) => {
  return signer(new Uint8Array(32).fill(i + 1), nodeCrypto)
})
const hex = (key: typeof one) => encodeHex(key?.publicKey ?? new Uint8Array())
let bench: Bench
let server: TestServer | undefined

beforeEach(() => {
  bench = cliBench()
  for (const [i, seed] of seeds.entries()) bench.write(`${i + 1}.key`, seed)
})
afterEach(async () => {
  await stop()
  bench.remove()
})

/** A kernel in production whose seed is that of the file `<n>.key`. */
async function start(n: number, more: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  server = await startServer(join(bench.folder, 'data'), {
    HELM_SIGNING_KEY: '',
    HELM_SIGNING_KEY_FILE: join(bench.folder, `${n}.key`),
    HELM_PRODUCTION: 'true',
    ...more,
  })
  return server
}

async function stop(): Promise<void> {
  await server?.close()
  server = undefined
}

/** A kernel's life, in which it records a decision. */
async function live(n: number, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const { evaluate } = await start(n, more)
  expect((await evaluate()).receipt_id).toMatch(/^rcpt-/)
  await stop()
}

const rotate = (from: number, next: string, ...args: readonly string[]): Promise<Outcome> =>
  bench.run([
    ...['keys', 'rotate', '--next', next, '--data-dir', 'data'],
    ...['--signing-key-file', `${from}.key`, ...args],
  ])

const verify = (...args: readonly string[]) =>
  bench.run(['ledger', 'verify', '--data-dir', 'data', ...args])

async function keyReasons(): Promise<readonly string[]> {
  const { reasons = [] } = (await server?.readyz()) ?? {}
  return reasons.filter(({ check }) => check === 'key').map(({ detail }) => detail)
}

async function keys(): Promise<unknown> {
  const response = await fetch(`${server?.api}/api/v1/keys`)
  return ((await response.json()) as { readonly keys: unknown }).keys
}

describe('a planned rotation', () => {
  it('goes from key to key over restarts, and the first key vouches for all of it', async () => {
    await live(1)
    const { code, stdout, stderr } = await rotate(1, hex(two))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`${one?.keyId} has ended and named ${two?.keyId}`)
    expect(stdout).toContain('HELM_SIGNING_KEY_FILE')
    const note = bench.text('data/ledger/checkpoint')
    expect(note).toMatch(/\n3\n/)
    await live(2)
    await live(2)
    expect((await rotate(2, hex(three).toUpperCase())).code).toBe(0)
    await live(3)
    bench.write('kept.note', note)
    const verified = await verify('--key', hex(one), '--checkpoint', 'kept.note')
    expect(verified.stdout).not.toContain('warning')
    expect(verified.code).toBe(0)
    await start(3)
    expect(await keys()).toMatchObject([
      { key_id: one?.keyId, endorsed: true, first_index: 0, last_index: 2 },
      { key_id: two?.keyId, endorsed: true, first_index: 3, last_index: 6 },
      {
        key_id: three?.keyId,
        log_public_key: encodeHex(three?.log.publicKey ?? new Uint8Array()),
        endorsed: true,
        first_index: 7,
        last_index: null,
      },
    ])
  })

  it('that stopped half way goes on with the next key alone', async () => {
    await live(1)
    await rotate(1, hex(two))
    await start(1)
    expect(await keyReasons()).toEqual([expect.stringContaining(`named ${two?.keyId} to follow`)])
    expect(await keys()).toMatchObject([{ key_id: one?.keyId, last_index: 2 }])
    expect(await server?.evaluate()).toMatchObject({ status: 503, code: 'KEY_CHANGED' })
    await stop()
    await start(3)
    expect(await keyReasons()).toEqual([expect.stringContaining(two?.keyId ?? '')])
    await stop()
    await live(2)
    expect((await verify('--key', hex(one))).code).toBe(0)
  })

  it('is not undone by the key before, in production', async () => {
    await live(1)
    await rotate(1, hex(two))
    await live(2)
    await start(1)
    expect(await keyReasons()).toEqual([expect.stringContaining(`signed by ${two?.keyId}`)])
    await stop()
    await live(2)
    expect((await verify('--key', hex(one))).code).toBe(0)
  })

  it('says the same a second time, and writes nothing', async () => {
    await live(1)
    await rotate(1, hex(two))
    const before = bench.read('data/ledger/checkpoint')
    const { code, stdout } = await rotate(1, hex(two))
    expect(code).toBe(0)
    expect(stdout).toContain('nothing was written')
    expect(
      await bench.json([
        'keys',
        'rotate',
        '--next',
        hex(two),
        '--data-dir',
        'data',
        '--signing-key-file',
        '1.key',
      ]),
    ).toEqual({
      ended: one?.keyId,
      successor: two?.keyId,
      written: false,
    })
    expect(bench.read('data/ledger/checkpoint')).toEqual(before)
  })
})

describe('a kernel whose key ends while it runs', () => {
  it('says so from the first receipt that it cannot sign', async () => {
    const { configuration } = parseConfiguration({
      environment: { HELM_DATA_DIR: join(bench.folder, 'data'), HELM_SIGNING_KEY: seeds[0] },
      sources: ['mountedFile'],
    })
    const log = createLog({
      level: 'error',
      format: 'text',
      clock: hostClock,
      write: () => undefined,
    })
    const key = await loadSigningKey(configuration, nodeCrypto, hostRandom)
    const scope = scopeOf('default', 'default')
    const durable = createDurableKernel(configuration, key, noTrust, scope, log)
    await durable.open()
    try {
      await durable.kernel.authority.endKey(two?.publicKey ?? new Uint8Array())
      expect(durable.keyFault()).toBeUndefined()
      const deciding = durable.kernel.decide({ principal: 'agent:a', action: 'ticket.read' })
      await expect(deciding).rejects.toMatchObject({ code: 'KEY_CHANGED' })
      expect(durable.keyFault()).toMatchObject({ code: 'KEY_CHANGED' })
    } finally {
      await durable.close()
    }
  })
})

describe('keys rotate refuses', () => {
  const refused = async (outcome: Promise<Outcome>, message: string): Promise<void> => {
    const { code, stdout, stderr } = await outcome
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  }

  it.each([
    ['the key that signs now', hex(one), 'is the key that signs now'],
    ['a key under which anybody can sign', '00'.repeat(32), 'of small order'],
    ['half a key', 'ab'.repeat(16), 'KEY_INVALID'],
    ['a key that is trusted to sign policy', hex(three), 'trusted to sign policy'],
  ])('%s as the next', async (_, next, message) => {
    await live(1)
    const env = { HELM_POLICY_TRUST_PUBLIC_KEY: hex(three), HELM_SIGNING_KEY_FILE: '1.key' }
    const before = bench.read('data/ledger/tip')
    await refused(
      bench.run(['keys', 'rotate', '--next', next, '--data-dir', 'data'], { env }),
      message,
    )
    expect(bench.read('data/ledger/tip')).toEqual(before)
  })

  it('a key that signed before', async () => {
    await live(1)
    await rotate(1, hex(two))
    await live(2)
    await refused(rotate(2, hex(one)), 'signed in this ledger before')
  })

  it('another successor than the one that was named', async () => {
    await live(1)
    await rotate(1, hex(two))
    await refused(rotate(1, hex(three)), `named ${two?.keyId} to follow`)
  })

  it('a key that is not the ledger’s, a ledger that is not there, and a kernel that runs', async () => {
    await refused(rotate(1, hex(two)), 'LEDGER_MISSING')
    await start(1)
    await refused(rotate(1, hex(two)), 'stop that process')
    await stop()
    await refused(rotate(2, hex(three)), 'KEY_CHANGED')
    await refused(bench.run(['keys', 'rotate']), '--next is missing')
  })
})

describe('an unplanned rotation, in production', () => {
  it('needs the key before to be named, and then every later key is pinned by itself', async () => {
    await live(1)
    await start(2)
    expect(await keyReasons()).toEqual([expect.stringContaining('HELM_SIGNING_PREVIOUS_KEYS')])
    await stop()
    await live(1)
    await live(2, { HELM_SIGNING_PREVIOUS_KEYS: one?.keyId ?? '' })
    await live(2)
    const pinned = await verify('--key', hex(one))
    expect(pinned.code).toBe(1)
    expect(pinned.stdout).toMatch(/fail\s+key_pinned/)
    const both = await verify('--key', hex(one), '--key', hex(two))
    expect(both.code).toBe(0)
    expect(both.stdout).toContain('warning: the key before did not vouch for it')
  })
})
