import { describe, expect, it } from 'vitest'
import {
  createKernel,
  type Draft,
  nobleCrypto,
  type ReceiptStore,
  sealDrafts,
  type Stored,
} from '@helm-ai-kernel/core'
import { importStore, openSqlite, type Sqlite, sqliteStore } from '@helm-ai-kernel/sqlite'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { fakeClock } from '../support/clock.ts'
import { kernelSigner, seededRandom, signedBundle, trust } from '../support/kernel.ts'
import { acme, activation, began, decision, identity, signerOf } from '../support/log-entries.ts'
import { scope } from '../support/policy.ts'

const key = signerOf(1)
const sqlite = await openSqlite()

async function append(store: ReceiptStore, drafts: readonly Draft[]): Promise<void> {
  await store.append(drafts, (state, all) =>
    sealDrafts({ crypto, signer: key, identity, kernel: '0.0.0', now: 1_000 }, state, all),
  )
}

async function filled(): Promise<ReturnType<typeof sqliteStore>> {
  const store = sqliteStore(sqlite, identity)
  await append(store, [began(key), activation(acme, 1), decision(acme, 1), decision(acme, 1)])
  return store
}

/** The database file, changed by SQL. */
function changed(bytes: Uint8Array, sql: string): Uint8Array {
  const db = sqlite.database(bytes)
  db.run(sql)
  return db.export()
}

describe('a ledger in a database in memory', () => {
  it('serves a kernel that has no other store, and takes the identity that it makes', async () => {
    const store = sqliteStore(sqlite)
    const kernel = createKernel({
      trust,
      signer: kernelSigner,
      clock: fakeClock(),
      random: seededRandom(),
      store,
    })
    const { bytes, signature } = signedBundle()
    await kernel.install(bytes, signature)
    const { receipt } = await kernel.decide({
      principal: 'agent:a',
      action: 'ticket.read',
      resource: '',
      args: {},
    })
    const page = await store.find({ scope, verdict: 'ALLOW', limit: 10 })
    expect(page).toEqual({ receipts: [receipt], hasMore: false })
    expect(() => store.export()).toThrow(expect.objectContaining({ code: 'LEDGER_MISSING' }))
  })

  it('goes on from what another exported, and that one goes on too', async () => {
    const first = await filled()
    const second = importStore(sqlite, first.export(), nobleCrypto)
    expect(await second.read(0, 99)).toEqual(await first.read(0, 99))
    const [ours, theirs] = [await second.state(), await first.state()]
    expect([ours.identity, ours.size, ours.key]).toEqual([identity, 4, key.keyId])
    expect(ours.scope(acme)).toEqual(theirs.scope(acme))
    await append(first, [decision(acme, 1)])
    await append(second, [decision(acme, 1), decision(acme, 1)])
    expect((await first.state()).scope(acme).seq).toBe(4)
    const found = await second.find({ scope: acme, kind: 'decision', limit: 9 })
    expect(found.receipts.map(({ statement }) => statement.seq)).toEqual([2, 3, 4, 5])
    const third = importStore(sqlite, second.export(), crypto)
    expect((await third.state()).size).toBe(6)
  })

  it('exports a ledger that is empty', async () => {
    const bytes = sqliteStore(sqlite, identity).export()
    expect((await importStore(sqlite, bytes, crypto).state()).size).toBe(0)
  })

  it.each([
    ['a receipt is missing', 'DELETE FROM entries WHERE log_index = 2', /entry 3 follows entry 1/],
    [
      'a receipt stands in the place of another',
      'UPDATE entries SET (receipt_id, entry) = (SELECT receipt_id, entry FROM entries WHERE log_index = 3) WHERE log_index = 2',
      /entry 2 has seq 3 after 1/,
    ],
    [
      'a receipt has the id of another',
      'UPDATE entries SET receipt_id = (SELECT receipt_id FROM entries WHERE log_index = 0)',
      /entry 1 has the id of another/,
    ],
    [
      'the ledger is said to be another',
      `UPDATE identity SET ledger_id = '${'ab'.repeat(16)}'`,
      /entry 0 is of ledger 5a5a/,
    ],
    ['the origin is another', `UPDATE identity SET origin = 'x'`, /entry 0 does not name/],
    ['there is no identity', 'DELETE FROM identity', /no identity/],
    ['it is of another application', 'PRAGMA application_id = 7', /another application/],
    ['it is of a newer version', 'PRAGMA user_version = 2', /version 2/],
    ['there is no table', 'DROP TABLE identity', /no such table/],
  ])('refuses a file in which %s', async (_, sql, message) => {
    const bytes = changed((await filled()).export(), sql)
    const refused = expect.objectContaining({ code: 'LEDGER_CORRUPT' }) as Error
    expect(() => importStore(sqlite, bytes, crypto)).toThrow(refused)
    expect(() => importStore(sqlite, bytes, crypto)).toThrow(message)
  })

  it.each([
    ['no database', new TextEncoder().encode('hello '.repeat(1000))],
    ['empty', new Uint8Array()],
  ])('refuses a file that is %s', (_, bytes) => {
    expect(() => importStore(sqlite, bytes, crypto)).toThrow(
      expect.objectContaining({ code: 'LEDGER_CORRUPT' }),
    )
  })

  it('refuses or keeps every receipt as it was, whichever byte of the file is flipped', async () => {
    const store = await filled()
    const receipts: readonly Stored[] = await store.read(0, 9)
    const bytes = store.export()
    let refusals = 0
    for (let at = 0; at < bytes.length; at += 101) {
      let copy: ReturnType<typeof importStore>
      try {
        copy = importStore(sqlite, bytes.with(at, (bytes[at] ?? 0) ^ 0x10), crypto)
      } catch {
        refusals++
        continue
      }
      const read = await copy.read(0, 9)
      expect(receipts.slice(0, read.length)).toEqual(read)
      copy.close()
    }
    expect(refusals).toBeGreaterThan(20)
  })

  it('records nothing of a batch that the database does not take', async () => {
    let full = false
    const failing: Sqlite = {
      database(bytes) {
        const db = sqlite.database(bytes)
        return {
          run: (sql) => db.run(sql),
          export: () => db.export(),
          close: () => db.close(),
          prepare(sql) {
            const statement = db.prepare(sql)
            if (!full || !sql.startsWith('INSERT INTO entries')) return statement
            let left = 1
            const run = (values: Parameters<typeof statement.run>[0]): void => {
              if (left-- === 0) throw new Error('out of memory')
              statement.run(values)
            }
            return {
              run,
              bind: (values) => statement.bind(values),
              step: () => statement.step(),
              get: () => statement.get(),
              reset: () => statement.reset(),
              free: () => statement.free(),
            }
          },
        }
      },
    }
    const store = sqliteStore(failing, identity)
    await append(store, [began(key)])
    full = true
    await expect(append(store, [decision(acme, null), decision(acme, null)])).rejects.toMatchObject(
      {
        code: 'LEDGER_FULL',
      },
    )
    full = false
    await append(store, [decision(acme, null)])
    const { receipts } = await store.find({ scope: acme, limit: 9 })
    expect(receipts.map(({ logIndex, statement }) => [logIndex, statement.seq])).toEqual([[1, 1]])
  })
})
