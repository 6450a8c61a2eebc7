import fs from 'node:fs/promises'
import { join } from 'node:path'
import { encodeHex, signer } from '@helm-ai-kernel/core'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Bench, cliBench } from '../support/cli.ts'
import { policySigner, signedBundle } from '../support/kernel.ts'
import { hasPostgres, startPostgres, type TestServer as Database } from '../support/postgres.ts'
import { secrets, startServer, type TestServer } from '../support/server.ts'

// Whole servers on a real PostgreSQL: replicas that share a ledger, and the move from a data directory.

describe.skipIf(!hasPostgres)('the server on PostgreSQL', () => {
  let database: Database
  let bench: Bench
  let folder: string
  let url: string
  let databases = 0
  let servers: TestServer[] = []

  beforeAll(async () => {
    database = await startPostgres()
  })
  afterAll(() => database.end())
  beforeEach(async () => {
    bench = cliBench()
    ;({ folder } = bench)
    const name = `helm_${++databases}`
    await database.sql(`CREATE DATABASE ${name} OWNER helm`, 'postgres')
    url = database.urlOf({ database: name })
    await offer(7)
  })
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.close()))
    servers = []
    bench.remove()
  })

  it('lets two replicas keep one ledger, and one of them tell what the other decided', async () => {
    const [one, two] = [await replica('one'), await replica('two')]
    const decided = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).evaluate()),
    )
    expect(new Set(decided.map(({ verdict }) => verdict))).toEqual(new Set(['ALLOW']))
    const [first, second] = [await one.receipts('decision'), await two.receipts('decision')]
    expect(first).toEqual(second)
    expect(first.map(({ receipt_id: id }) => id).sort()).toEqual(
      decided.map(({ receipt_id: id }) => id).sort(),
    )
    const env = { HELM_API_KEY: secrets.adminKey }
    await vi.waitFor(
      async () => {
        const verified = await bench.run(['ledger', 'verify', '--url', one.api, '--json'], { env })
        const { verdict, tree } = JSON.parse(verified.stdout) as Copied
        expect([verdict, tree.size]).toEqual(['PASS', 42])
      },
      { timeout: 10_000 },
    )
    const places = first.map(({ seq }) => Number(seq))
    expect(places).toEqual(places.map((_, i) => (places[0] ?? 0) + i))
  })

  it('holds every replica to the epoch that one of them has activated', async () => {
    const one = await replica('one')
    await offer(9)
    expect((await one.wake()).http).toBe(200)
    await offer(8)
    const late = await replica('late')
    expect(await late.status()).toMatchObject({ reason_code: 'EPOCH_ROLLBACK' })
    // It has what the other one installed, from the database.
    expect(await late.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_epoch: 9 })
  })

  it('is not ready while the database is away, allows nothing, and goes on by itself', async () => {
    const server = await replica('one')
    expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW' })
    await database.stop('immediate')
    try {
      const denied = await server.evaluate()
      expect(denied).toMatchObject({ verdict: 'DENY', reason_code: 'LEDGER_UNAVAILABLE' })
      expect(denied).not.toHaveProperty('receipt_id')
      expect(await server.readyz()).toMatchObject({
        http: 503,
        reasons: [{ check: 'ledger', code: 'LEDGER_UNAVAILABLE' }],
      })
    } finally {
      await database.start()
    }
    await vi.waitFor(async () => expect(await server.readyz()).toMatchObject({ ready: true }), {
      timeout: 20_000,
    })
    expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW' })
    expect(server.text()).not.toContain('correct%20horse')
  })

  it('takes a ledger over from a data directory, byte for byte', async () => {
    const data = join(folder, 'data')
    const embedded = await startServer(data, { ...environment(), HELM_STORAGE_TYPE: 'sqlite' })
    await Promise.all(Array.from({ length: 300 }, () => embedded.evaluate()))
    const before = await embedded.receipts('decision')
    expect(before.length).toBe(300)
    const env = { HELM_SIGNING_KEY: secrets.seed, DATABASE_URL: url }

    const locked = await bench.run(['ledger', 'copy', '--data-dir', data], { env })
    expect(locked).toMatchObject({ code: 2 })
    expect(locked.stderr).toContain('stop it first')
    await embedded.close()

    const copied = await bench.run(['ledger', 'copy', '--data-dir', data, '--json'], { env })
    expect(copied.code, copied.stderr).toBe(0)
    const { verdict, tree, blobs } = JSON.parse(copied.stdout) as Copied
    expect(verdict).toBe('PASS')
    expect(tree.size).toBeGreaterThan(300)
    expect(blobs).toBeGreaterThan(0)

    const again = await bench.run(['ledger', 'copy', '--data-dir', data, '--json'], { env })
    expect(JSON.parse(again.stdout)).toMatchObject({ verdict: 'PASS', tree, resumed_at: tree.size })

    const server = await replica('after')
    expect(await server.receipts('decision')).toEqual(before)
    expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW' })

    const moved = await bench.run(['ledger', 'copy', '--data-dir', data], { env })
    expect(moved.code).toBe(2)
    expect(moved.stderr).toContain('empty database')
  })

  it('lets a key end for every replica at once', async () => {
    const one = await replica('one')
    expect(await one.evaluate()).toMatchObject({ verdict: 'ALLOW' })
    const seed = '43'.repeat(32)
    const next = encodeHex(signer(Buffer.from(seed, 'hex'), nodeCrypto).publicKey)
    const env = { ...environment(), HELM_SIGNING_KEY: secrets.seed }
    const rotated = await bench.run(['keys', 'rotate', '--next', next, '--data-dir', folder], {
      env,
    })
    expect(rotated.code, rotated.stderr).toBe(0)

    expect(await one.evaluate()).not.toHaveProperty('receipt_id')
    await vi.waitFor(async () =>
      expect(await one.readyz()).toMatchObject({
        http: 503,
        reasons: [{ check: 'key', code: 'KEY_CHANGED' }],
      }),
    )
    const two = await replica('two', { HELM_SIGNING_KEY: seed })
    expect(await two.evaluate()).toMatchObject({ verdict: 'ALLOW' })
  })

  it.each([
    ['no address', {}, 'HELM_STORAGE_TYPE=postgres needs DATABASE_URL'],
    [
      'a mode that is none',
      { DATABASE_URL: 'postgres://u:hidden@h/d?sslmode=on' },
      'sslmode must be',
    ],
  ])('does not start with %s', async (_, more, message) => {
    const env = { HELM_STORAGE_TYPE: 'postgres', HELM_POLICY_PATH: folder, ...more }
    const starting = startServer(join(folder, 'data'), env)
    await expect(starting).rejects.toThrow(message)
    await expect(starting).rejects.not.toThrow('hidden')
  })

  function environment(): Readonly<Record<string, string>> {
    return {
      HELM_STORAGE_TYPE: 'postgres',
      DATABASE_URL: url,
      HELM_POLICY_PATH: join(folder, 'policy'),
      HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
    }
  }

  async function replica(
    name: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<TestServer> {
    const server = await startServer(join(folder, name), { ...environment(), ...more })
    servers.push(server)
    return server
  }

  async function offer(epoch: number): Promise<void> {
    const { bytes, signature } = signedBundle(epoch)
    const policy = join(folder, 'policy')
    await fs.mkdir(policy, { recursive: true })
    await fs.writeFile(join(policy, 'policy.bundle.sig'), signature)
    await fs.writeFile(join(policy, 'policy.bundle'), bytes)
  }
})

interface Copied {
  readonly verdict: string
  readonly tree: { readonly size: number }
  readonly blobs: number
}
