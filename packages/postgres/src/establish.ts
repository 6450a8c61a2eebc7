import {
  type Crypto,
  encodeHex,
  KernelError,
  type Random,
  type Signer,
  type LedgerIdentity,
} from '@helm-ai-kernel/core'
import { defaultOrigin, emptyRoot, parseOrigin, signCheckpoint } from '@helm-ai-kernel/core/log'
import type { Client } from './client.ts'
import { checkRemembered, checkTip, type Memory, rolledBack } from './memory.ts'
import { explained, inspect, migrate } from './migrate.ts'
import type { Schema } from './schema.ts'
import { checkRole, checkServer } from './settings.ts'
import { tileReader } from './tiles.ts'
import { leavesAfter, tipOf } from './transaction.ts'
import { bytesOf } from './row.ts'
import type { Tip } from './tip.ts'

export interface EstablishOptions {
  readonly crypto: Crypto
  readonly random: Random
  readonly log: Signer
  readonly origin?: string
  /** What a new ledger is called and numbered, when it is a copy of another. */
  readonly identity?: LedgerIdentity
  readonly init?: 'auto' | 'never'
  readonly schema: Schema
  readonly memory: Memory
  /** The newest checkpoint that was kept outside of the database. */
  readonly remembered: () => Promise<Uint8Array | undefined>
  readonly warn: (message: string) => void
}

/**
 * Makes sure that a database may be written to: its server, its schema, its ledger, and that the log
 * goes on from what is remembered. Gives what an operator should know. Every connection that writes
 * begins here, for the server may be another one than before.
 */
export async function establish(
  client: Client,
  options: EstablishOptions,
): Promise<readonly string[]> {
  try {
    return await check(client, options)
  } catch (error) {
    throw explained(error)
  }
}

async function check(client: Client, options: EstablishOptions): Promise<readonly string[]> {
  const { schema, crypto, memory, origin } = options
  const warnings = await checkServer(client)
  const note = memory.identity === undefined ? await options.remembered() : undefined
  await makeLedger(client, options, note !== undefined)

  const before = memory.edge
  // One snapshot, so that the tip, its tiles and the entries are of one moment.
  await client.run({ text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' })
  const tip = tipOf(await client.run(selectTip(schema)))
  if (origin !== undefined && origin !== tip.identity.origin) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the ledger is called ${tip.identity.origin}, not ${origin}, and that never changes: ` +
        'unset HELM_LOG_ORIGIN, or use another database',
    )
  }
  const tiles = tileReader((statement) => client.run(statement), crypto, schema)
  const leaves = await client.run(leavesAfter(schema, before.size))
  const hashes = leaves.map((row) => bytesOf(row, 'leaf'))
  await checkTip(crypto, tiles, tip)
  await checkEnd(client, schema, tip)
  if (note !== undefined) await checkRemembered(crypto, tiles, tip, note)
  // Last: what was not held against the note is not remembered in its place.
  await memory.follow(before, tip, before.size === 0 ? [] : hashes, tiles)
  await client.run({ text: 'COMMIT' })
  return [...warnings, ...(await checkRole(client, schema))]
}

function selectTip({ tip }: Schema) {
  return { text: `SELECT * FROM ${tip}` }
}

async function makeLedger(
  client: Client,
  options: EstablishOptions,
  isRemembered: boolean,
): Promise<void> {
  const { schema, memory, init = 'auto' } = options
  const found = await inspect(client, schema)
  const isNew = found.kind === 'none' || (await client.run(selectTip(schema))).length === 0
  if (isNew && (isRemembered || memory.identity !== undefined)) {
    throw rolledBack('it holds no ledger any more')
  }
  if (isNew && init === 'never') {
    throw new KernelError('LEDGER_MISSING', 'there is no ledger in the database')
  }
  await migrate(client, schema)
  if (isNew) await insertTip(client, options)
}

async function insertTip(client: Client, options: EstablishOptions): Promise<void> {
  const { crypto, log, random, schema, warn } = options
  const { origin, ledgerId } = options.identity ?? {
    origin: parseOrigin(options.origin ?? defaultOrigin(crypto, log.publicKey)),
    ledgerId: encodeHex(random.bytes(16)),
  }
  const checkpoint = signCheckpoint({ origin, size: 0, root: emptyRoot(crypto) }, log, crypto)
  const rows = await client.run({
    text: `INSERT INTO ${schema.tip} (ledger_id, origin, size, edge, time, checkpoint, checkpoint_size)
      SELECT $1, $2, 0, ''::bytea, 0, $3, 0 WHERE NOT EXISTS (SELECT 1 FROM ${schema.entry})
      ON CONFLICT DO NOTHING RETURNING one`,
    parameters: [ledgerId, origin, checkpoint],
  })
  if (rows.length > 0 && options.identity === undefined) {
    warn(`a new ledger was begun, ${origin}: it remembers no policy installed before`)
  }
}

async function checkEnd(client: Client, { entry }: Schema, { edge }: Tip): Promise<void> {
  const text = `SELECT 1 FROM ${entry} WHERE log_index >= $1 LIMIT 1`
  const beyond = await client.run({ text, parameters: [edge.size] })
  if (beyond.length > 0) {
    throw new KernelError(
      'LEDGER_CORRUPT',
      `the database holds an entry beyond its tip of ${edge.size} entries`,
    )
  }
}
