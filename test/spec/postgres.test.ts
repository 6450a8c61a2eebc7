import { type Draft, encodeHex, encodeUtf8, isKernelError, type Seal } from '@helm-ai-kernel/core'
import {
  createRange,
  decodeEntries,
  leafHash,
  openCheckpoint,
  proveInclusion,
  rootOfTiles,
  subtree,
  verifyInclusion,
} from '@helm-ai-kernel/core/log'
import {
  migratePostgres,
  parseDatabaseUrl,
  type PostgresLedger,
  type PostgresOptions,
} from '@helm-ai-kernel/postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hostClock } from '../../packages/host/src/clock.ts'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { sealBatch } from '../../packages/postgres/src/batch.ts'
import { connectClient } from '../../packages/postgres/src/client.ts'
import { schemaOf } from '../../packages/postgres/src/schema.ts'
import { commit, lockTip } from '../../packages/postgres/src/transaction.ts'
import { fakeClock } from '../support/clock.ts'
import { asking, key, sealer } from '../support/ledger.ts'
import { acme, activation, began, ended, signerOf } from '../support/log-entries.ts'
import {
  auditedLog,
  freshSchema,
  hasPostgres,
  openIn,
  password,
  startPostgres,
  type TestServer,
} from '../support/postgres.ts'

const noop = (): void => undefined

describe.skipIf(!hasPostgres)('a ledger on PostgreSQL', () => {
  let server: TestServer
  const opened: PostgresLedger[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(async () => {
    for (const ledger of opened.splice(0)) await ledger.close()
  })
  afterAll(() => server.end())

  async function open(
    schema: string,
    more: Partial<PostgresOptions> = {},
  ): Promise<PostgresLedger> {
    const ledger = await openIn(server, { schema, ...more })
    opened.push(ledger)
    return ledger
  }

  async function append(ledger: PostgresLedger, ...drafts: readonly Draft[]) {
    const results = await ledger.append(drafts, sealer(ledger.identity))
    return results.map((one) => {
      if ('refused' in one) throw new Error('the draft was refused')
      return one
    })
  }

  const relations = async (schema: string) =>
    (
      await server.sql(`SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = '${schema}' AND relkind = 'r' ORDER BY relname`)
    ).map(({ relname }) => relname)

  /** What superusers can do who want to: change a row in spite of the trigger. */
  const tamper = (statement: string) =>
    server.sql(`SET session_replication_role = replica; ${statement}`)

  describe('when it is made', () => {
    it('is one ledger, however many replicas make it at once', async () => {
      const schema = freshSchema()
      const ledgers = await Promise.all([1, 2, 3, 4].map(() => open(schema)))
      expect(new Set(ledgers.map(({ identity }) => identity?.ledgerId)).size).toBe(1)
      expect(await server.sql(`SELECT version FROM ${schema}.migration`)).toEqual([{ version: 1 }])
    })

    it('says so, and begins with a checkpoint of nothing', async () => {
      const said: string[] = []
      const schema = freshSchema()
      const ledger = await open(schema, { warn: (message) => said.push(message) })
      expect(said).toEqual([expect.stringContaining('a new ledger was begun')])
      const note = (await ledger.checkpoint()) ?? new Uint8Array()
      const log = { origin: ledger.identity?.origin ?? '', publicKey: key.log.publicKey }
      expect(openCheckpoint(note, log, crypto)).toMatchObject({ size: 0 })
      await open(schema, { warn: (message) => said.push(message) })
      expect(said).toHaveLength(1)
    })

    it('is not made where it is only looked for', async () => {
      const schema = freshSchema()
      const ledger = await open(schema, { init: 'never' })
      expect(ledger.health()).toMatchObject({ code: 'LEDGER_MISSING' })
      expect(await relations(schema)).toEqual([])
    })

    it('keeps the name of its log', async () => {
      const schema = freshSchema()
      await open(schema, { origin: 'log.example/a' })
      await open(schema, { origin: 'log.example/a' })
      await expect(open(schema, { origin: 'log.example/b' })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      })
    })

    it('leaves a schema alone that is not a ledger’s', async () => {
      const schema = freshSchema()
      await server.sql(
        `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.migration (version integer)`,
      )
      await expect(open(schema)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await relations(schema)).toEqual(['migration'])
    })

    it('leaves a schema alone that a newer kernel made', async () => {
      const schema = freshSchema()
      await open(schema)
      await server.sql(`INSERT INTO ${schema}.migration (version) VALUES (2)`)
      await expect(open(schema)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('version 2') as unknown,
      })
    })

    it('takes an empty schema that an operator made', async () => {
      const schema = freshSchema()
      await server.sql(`CREATE SCHEMA ${schema} AUTHORIZATION helm`)
      expect((await open(schema)).health()).toBeUndefined()
    })

    it.each(['Helm', 'pg_helm', 'a"b', ''])('does not take the schema name %j', async (schema) => {
      await expect(open(schema)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    })
  })

  describe('on a server that must not hold it', () => {
    async function withSetting(setting: string, test: () => Promise<void>): Promise<void> {
      const change = async (statement: string, value: string) => {
        await server.sql(statement)
        await server.sql('SELECT pg_reload_conf()')
        const name = setting.split(' ')[0] ?? ''
        while ((await server.sql(`SHOW ${name}`))[0]?.[name] !== value) await hostClock.sleep(10)
      }
      const [name = ''] = setting.split(' ')
      await change(`ALTER SYSTEM SET ${setting} = off`, 'off')
      try {
        await test()
      } finally {
        await change(`ALTER SYSTEM RESET ${name}`, 'on')
      }
    }

    it.each(['fsync', 'full_page_writes'])(
      'refuses %s = off, and writes nothing',
      async (setting) => {
        await withSetting(setting, async () => {
          const schema = freshSchema()
          await expect(open(schema)).rejects.toMatchObject({
            code: 'CONFIG_INVALID',
            message: expect.stringContaining(`set ${setting} = on`) as unknown,
          })
          expect(await relations(schema)).toEqual([])
        })
      },
    )

    it('takes nothing where it may only read', async () => {
      const schema = freshSchema()
      await open(schema)
      await server.sql('ALTER ROLE helm SET default_transaction_read_only = on')
      const ledger = await open(schema)
      await server.sql('ALTER ROLE helm RESET default_transaction_read_only')
      expect(ledger.health()).toMatchObject({
        code: 'LEDGER_UNAVAILABLE',
        detail: expect.stringContaining('standby or read-only') as unknown,
      })
    })

    it('warns of one disk, and of a role that may do everything', async () => {
      const schema = freshSchema()
      expect((await open(schema)).warnings()).toEqual([
        expect.stringContaining('synchronous_standby_names'),
      ])
      const url = server.urlOf({ user: 'postgres', password: 'super' })
      expect((await open(schema, { url })).warnings()).toEqual([
        expect.stringContaining('synchronous_standby_names'),
        expect.stringContaining('may change and delete receipts'),
      ])
    })
  })

  describe('never says its password', () => {
    it.each([
      ['when it is wrong', { password: 'wrong, but secret' }, 'wrong, but secret'],
      ['when there is no such database', { database: 'nothing' }, password],
      ['when nobody listens', { port: 1 }, password],
      ['when there is no such host', { host: 'nowhere.invalid' }, password],
    ])('%s', async (_, more, secret) => {
      const ledger = await open('helm', { url: server.urlOf(more) })
      const fault = ledger.health()
      expect(fault?.code).toBe('LEDGER_UNAVAILABLE')
      const errors = await Promise.all([
        ledger.append([asking('a')], () => []).catch((error: unknown) => error),
        ledger.read(0, 1).catch((error: unknown) => error),
      ])
      const said = [fault, ...ledger.warnings(), ...errors].map((one) =>
        isKernelError(one) ? [one.stack, JSON.stringify(one.cause), String(one.cause)] : one,
      )
      expect(JSON.stringify(said)).not.toContain(secret)
      expect(JSON.stringify(said)).not.toContain(encodeURIComponent(secret))
    })
  })

  describe('its receipts', () => {
    it('cannot be changed or deleted by the role that writes them', async () => {
      const schema = freshSchema()
      const ledger = await open(schema)
      await append(ledger, began(key))
      for (const statement of [
        `UPDATE ${schema}.entry SET kind = 'x'`,
        `DELETE FROM ${schema}.entry`,
        `TRUNCATE ${schema}.entry`,
        `DELETE FROM ${schema}.tile`,
      ]) {
        await expect(server.sql(`SET ROLE helm; ${statement}`)).rejects.toThrow('permission denied')
        await expect(server.sql(statement)).rejects.toThrow('never changed')
      }
    })

    it('can be written by a role that may hardly do anything, where another made the tables', async () => {
      const schema = freshSchema()
      await migratePostgres({ url: server.url, clock: hostClock, schema })
      await migratePostgres({ url: server.url, clock: hostClock, schema })
      await server.sql(`
        CREATE ROLE writer LOGIN PASSWORD 'w';
        GRANT USAGE ON SCHEMA ${schema} TO writer;
        GRANT SELECT ON ${schema}.migration TO writer;
        GRANT SELECT, INSERT ON ${schema}.entry, ${schema}.tile TO writer;
        GRANT SELECT, INSERT, UPDATE ON ${schema}.scope, ${schema}.tip TO writer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.keep TO writer`)
      const url = server.urlOf({ user: 'writer', password: 'w' })
      const ledger = await open(schema, { url })
      await append(ledger, began(key), asking('a'))
      await ledger.keep().put('a', Uint8Array.of(1))
      await ledger.keep().put('a', Uint8Array.of(2))
      await ledger.keep().remove('a')
      expect(await auditedLog(ledger)).toHaveLength(2)
      expect(ledger.warnings()).toEqual([expect.stringContaining('synchronous_standby_names')])
      const newSchema = open(freshSchema(), { url })
      await expect(newSchema).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    })

    it('are never served when somebody changed them', async () => {
      const schema = freshSchema()
      const ledger = await open(schema)
      await append(ledger, began(key), asking('a'), asking('b'))
      await tamper(`UPDATE ${schema}.entry SET entry = overlay(entry placing 'x' from 40)
        WHERE log_index = 1`)
      const refused = {
        code: 'LEDGER_CORRUPT',
        message: expect.stringContaining('entry 1') as unknown,
      }
      await expect(ledger.read(0, 3)).rejects.toMatchObject(refused)
      await expect(ledger.find({ scope: acme, limit: 9 })).rejects.toMatchObject(refused)
      const bundle = { level: 'entries', index: 0, width: 3 } as const
      await expect(ledger.tile(bundle)).rejects.toMatchObject(refused)
      expect(await ledger.read(2, 3)).toHaveLength(1)
    })

    it('are found by texts that a database column cannot hold', async () => {
      const ledger = await open(freshSchema())
      const names = ['a\0', 'a\\0', 'a"{},', '\\', 'é\u{1f600}']
      await append(ledger, ...names.map((principal) => asking('x', { principal })))
      for (const [i, principal] of names.entries()) {
        const { receipts } = await ledger.find({ scope: acme, principal, limit: 9 })
        expect(receipts.map(({ statement }) => statement.seq)).toEqual([i + 1])
      }
    })
  })

  it('never has a tip beyond its entries, whatever becomes of a statement on the way', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    const [first] = await append(ledger, began(key))
    const client = await connectClient({
      database: parseDatabaseUrl(server.url),
      clock: hostClock,
      warn: noop,
    })
    const tables = schemaOf(schema)
    const { tip, scopes } = await lockTip(client, tables, [], 1)
    const seal = sealer(tip.identity)
    const calls = [{ drafts: [asking('a')], seal, resolve: noop, reject: noop }]
    const batch = sealBatch(crypto, tip.identity, { ...tip.fields, scopes }, tip.edge, calls)
    const end = await commit(client, tables, { ...batch, receipts: [] }, [], undefined)
    await client.close()
    expect(end).toMatchObject({ is: 'refused' })
    expect(await auditedLog(ledger)).toEqual([first])
  })

  it('refuses to go on when its state is none', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await append(ledger, began(key), asking('a'))
    await server.sql(`UPDATE ${schema}.scope SET state = '{"seq":1' WHERE key = 'acme/prod'`)
    await expect(append(ledger, asking('b'))).rejects.toMatchObject({ code: 'LEDGER_CORRUPT' })
    expect(ledger.health()).toMatchObject({ code: 'LEDGER_CORRUPT' })
    await server.sql(`DELETE FROM ${schema}.tip`)
    expect((await open(schema)).health()).toMatchObject({ code: 'LEDGER_CORRUPT' })
    expect(await server.sql(`SELECT 1 FROM ${schema}.tip`)).toEqual([])
  })

  it('refuses to go on when its tip is not the end of its log', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await append(ledger, began(key), asking('a'))
    await tamper(`DELETE FROM ${schema}.entry WHERE log_index = 1`)
    expect((await open(schema)).health()).toMatchObject({ code: 'LEDGER_CORRUPT' })
  })

  it('lets a seal see what other replicas sealed, floors and keys included', async () => {
    const schema = freshSchema()
    const [one, two] = [await open(schema), await open(schema)]
    await append(one, began(key), activation(acme, 7))
    await append(two, ended(signerOf(2)))
    let seen: unknown
    const watching: Seal = (state, drafts) => {
      const { seq, signed } = state.scope(acme)
      seen = [state.size, seq, signed?.epoch, state.key, state.successor]
      return drafts.map(() => ({ refused: 'KEY_CHANGED' }))
    }
    for (const ledger of [one, two]) {
      expect(await ledger.append([asking('a')], watching)).toEqual([{ refused: 'KEY_CHANGED' }])
      expect(seen).toEqual([3, 1, 7, key.keyId, signerOf(2).keyId])
    }
  })

  it('tells whoever watches of every append, whoever made it', async () => {
    const schema = freshSchema()
    const [one, two] = await Promise.all([1, 2].map(() => open(schema, { clock: hostClock })))
    if (one === undefined || two === undefined) throw new Error('unreachable')
    let told = 0
    const heard = new Promise<void>((resolve) => {
      const stop = one.watch(() => {
        if (++told < 2) return
        stop()
        resolve()
      })
    })
    await append(one, began(key))
    expect(told).toBe(1)
    await append(two, asking('b'))
    await heard
    await append(one, asking('c'))
    expect(told).toBe(2)
  })

  it('names the allowed calls that nobody knows the end of, once it is opened again', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    const allowed = { verdict: 'ALLOW', reason_code: 'ALLOWED_BY_RULE', surface: 'mcp' } as const
    const [, done, lost] = await append(
      ledger,
      began(key),
      ...['done', 'lost'].map((action) => asking(action, allowed)),
      asking('evaluated', { ...allowed, surface: 'evaluate' }),
    )
    if (done === undefined || lost === undefined) throw new Error('unreachable')
    const outcome = (decision: string): Draft => ({
      scope: acme,
      body: { kind: 'outcome', status: 'ok', output_hash: null, links: { decision } },
    })
    await append(ledger, outcome(done.receiptId))
    expect(await ledger.unresolved()).toEqual([])
    const again = await open(schema)
    expect(await again.unresolved()).toEqual([lost.receiptId])
    await append(again, outcome(lost.receiptId))
    expect(await again.unresolved()).toEqual([])
  })

  it('keeps blobs that all replicas have', async () => {
    const schema = freshSchema()
    const [one, two] = [await open(schema), await open(schema)]
    await one.keep().put('policies/a', Uint8Array.of(0, 255))
    expect(await two.keep().get('policies/a')).toEqual(Uint8Array.of(0, 255))
  })

  describe('its log', () => {
    it('proves each entry by tiles, at each size', async () => {
      const ledger = await open(freshSchema())
      const log = { origin: ledger.identity?.origin ?? '', publicKey: key.log.publicKey }
      await append(ledger, began(key))
      for (const count of [200, 56, 300]) {
        await append(ledger, ...Array.from({ length: count }, (_, i) => asking(`a${count}.${i}`)))
        await ledger.publish()
        const note = (await ledger.checkpoint()) ?? new Uint8Array()
        const { size, root } = openCheckpoint(note, log, crypto)
        expect(size).toBe((await ledger.state()).size)
        expect(await rootOfTiles(crypto, ledger, size)).toEqual(root)
        const index = size - 7
        const proof = await proveInclusion(crypto, ledger, index, size)
        const level0 = await ledger.tile({
          level: 0,
          index: Math.floor(index / 256),
          width: (index % 256) + 1,
        })
        const leafHash = level0?.slice(-32) ?? new Uint8Array()
        expect(verifyInclusion(crypto, { leafHash, index, size, root }, proof)).toBe(true)
      }
      const entries = (await ledger.read(256, 512)).map(({ entry }) => entry)
      const bundle = await ledger.tile({ level: 'entries', index: 1, width: 256 })
      expect(decodeEntries(bundle ?? new Uint8Array())).toEqual(entries)
      for (const [level, index, width] of [
        [0, 2, 46],
        [0, 3, 1],
        [1, 0, 3],
        ['entries', 2, 46],
      ] as const) {
        expect(await ledger.tile({ level, index, width })).toBeUndefined()
      }
    })

    it('fills a tile of each level with the entry that ends it', async () => {
      const schema = freshSchema()
      await open(schema)
      // A log of 65,535 entries as it is in the tables, but for the entries that nobody reads.
      const tree = createRange(crypto)
      const leaves = Array.from({ length: 65_535 }, (_, i) => crypto.sha256(encodeUtf8(String(i))))
      for (const leaf of leaves) tree.append(leaf)
      const hex = (hashes: readonly Uint8Array[]) => `'\\x${hashes.map(encodeHex).join('')}'`
      const tiles = Array.from({ length: 255 }, (_, i) => {
        const hashes = leaves.slice(i * 256, (i + 1) * 256)
        const root = subtree(crypto, Uint8Array.from(hashes.flatMap((hash) => [...hash])))
        return `(0, ${i}, ${hex(hashes)}, ${hex([root])})`
      })
      const entries = leaves.slice(255 * 256).map((leaf, i) => {
        const index = 255 * 256 + i
        return `(${index}, '', sha256('${index}'), ${hex([leaf])}, 'acme/test', ${index}, 0, '', false)`
      })
      await server.sql(`
        INSERT INTO ${schema}.tile VALUES ${tiles.join()};
        INSERT INTO ${schema}.entry (log_index, entry, receipt_id, leaf, scope, seq, time, kind, awaits)
          VALUES ${entries.join()};
        UPDATE ${schema}.tip SET size = 65535, edge = ${hex(tree.hashes())}`)
      const ledger = await open(schema)
      const [last] = await append(ledger, asking('a'))
      tree.append(leafHash(crypto, last?.entry ?? new Uint8Array()))
      expect(await rootOfTiles(crypto, ledger, 65_536)).toEqual(tree.root())
      const top = await ledger.tile({ level: 1, index: 0, width: 256 })
      expect(subtree(crypto, top ?? new Uint8Array())).toEqual(tree.root())
      expect(await ledger.tile({ level: 2, index: 0, width: 1 })).toEqual(tree.root())
      expect((await open(schema)).health()).toBeUndefined()
    })

    it('publishes no smaller checkpoint after a larger one, whichever replica signs', async () => {
      const schema = freshSchema()
      const clock = fakeClock()
      const ledgers = [await open(schema, { clock }), await open(schema, { clock })]
      let largest = 0
      for (let round = 0; round < 6; round++) {
        await Promise.all(
          ledgers.map(async (ledger, i) => {
            await append(ledger, asking(`r${round}.${i}`))
            await ledger.publish()
          }),
        )
        const note = (await ledgers[round % 2]?.checkpoint()) ?? new Uint8Array()
        const size = Number(/\n(\d+)\n/.exec(String.fromCharCode(...note))?.[1])
        expect(size).toBeGreaterThan(largest)
        largest = size
      }
      expect(largest).toBe(12)
    })

    it('is not published by a kernel that was given another key', async () => {
      const schema = freshSchema()
      const ledger = await open(schema)
      await append(ledger, began(key))
      await ledger.publish()
      const before = await ledger.checkpoint()
      await append(ledger, asking('b'))
      const { log, keyId } = signerOf(2)
      const stranger = await open(schema, { log, keyId })
      await stranger.publish()
      expect(await stranger.checkpoint()).toEqual(before)
      await ledger.publish()
      expect(await ledger.checkpoint()).not.toEqual(before)
    })

    it('is published an interval after the last append without being asked', async () => {
      const schema = freshSchema()
      const ledger = await open(schema, { clock: hostClock, checkpointInterval: 100 })
      await append(ledger, began(key))
      await append(ledger, asking('b'))
      const published = async () =>
        (await server.sql(`SELECT checkpoint_size::int AS size FROM ${schema}.tip`))[0]?.['size']
      while ((await published()) !== 2) await hostClock.sleep(20)
      expect(await auditedLog(ledger)).toHaveLength(2)
    })
  })

  it('says what a statement means that the server does not take', async () => {
    const schema = freshSchema()
    const ledger = await open(schema)
    await server.sql(`DROP SCHEMA ${schema} CASCADE`)
    await expect(ledger.read(0, 1)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
  })
})
