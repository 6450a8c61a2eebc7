import {
  type Clock,
  type Crypto,
  equalBytes,
  isKernelError,
  type Keep,
  type Ledger,
  type KeyId,
  type LedgerIdentity,
  messageOf,
  type Random,
  type Signer,
} from '@helm-ai-kernel/core'
import { openCheckpoint, signCheckpoint } from '@helm-ai-kernel/core/log'
import { type Client, connectClient, sqlStateOf } from './client.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { establish } from './establish.ts'
import { keepMs, postgresKeep } from './keep.ts'
import { createMemory } from './memory.ts'
import { createPool } from './pool.ts'
import { createPulse } from './pulse.ts'
import { bytesOf } from './row.ts'
import { schemaOf } from './schema.ts'
import { tileReader } from './tiles.ts'
import { tlsWarning } from './tls.ts'
import { rootOf } from './tip.ts'
import { leavesAfter, tipOf } from './transaction.ts'
import { createView } from './view.ts'
import { createWriter } from './writer.ts'

export interface PostgresOptions {
  /** As `parseDatabaseUrl` takes it. */
  readonly url: string
  /** PEM of the certificates in the file that `parseDatabaseUrl` names as `caFile`. */
  readonly ca?: string
  readonly clock: Clock
  readonly random: Random
  readonly crypto: Crypto
  /** The log key; signs checkpoints. */
  readonly log: Signer
  /** The receipt key that it goes with: in a ledger of another key nothing is published. */
  readonly keyId: KeyId
  /** What a new ledger's log is called, and an existing one must be called. */
  readonly origin?: string
  /** What a new ledger is called and numbered, when it is to be a copy of another. */
  readonly identity?: LedgerIdentity
  /** Whether a ledger is made where there is none; `auto` when absent. */
  readonly init?: 'auto' | 'never'
  /** Hears, in a sentence, of what an operator should know and `health` does not say. */
  readonly warn?: (message: string) => void
  /** Least time between two published checkpoints, ms; 1000 when absent. */
  readonly checkpointInterval?: number
  /** The schema of the tables; `helm` when absent. */
  readonly schema?: string
  /** Where the newest checkpoint is kept outside of the database, so that it tells of a restart too. */
  readonly remembered?: Remembered
}

export interface Remembered {
  load(): Promise<Uint8Array | undefined>
  save(note: Uint8Array): Promise<void>
}

/** A ledger in PostgreSQL, which several replicas append to (design 4.2). */
export interface PostgresLedger extends Ledger {
  /** Blobs that all replicas share. */
  keep(): Keep
}

/**
 * Opens the ledger in a database, or makes it. A database that cannot be reached, is a standby, or was
 * set back leaves a ledger that says so in `health`; unless it was set back, the ledger goes on by
 * itself. Throws `CONFIG_INVALID` when the address, the server's settings, the schema or the origin are
 * not as they must be.
 */
export async function openPostgres(options: PostgresOptions): Promise<PostgresLedger> {
  const { clock, crypto, log, remembered, warn = ignore } = options
  const database = parseDatabaseUrl(options.url)
  const schema = schemaOf(options.schema ?? 'helm')
  const memory = createMemory(crypto)
  const onTls = tlsWarning(database)
  let warnings: readonly string[] = []
  let saved: Uint8Array = new Uint8Array()
  let notSaved: string | undefined
  let openedAt: number | undefined

  const { ca } = options
  const at = { database, clock, warn, ...(ca === undefined ? {} : { ca }) }
  const connect = (): Promise<Client> => connectClient(at)
  const pool = createPool(connect, 2)
  const blobs = createPool(() => connectClient({ ...at, timeout: keepMs }), 1)
  const view = createView(pool.run, crypto, schema)
  const writer = createWriter({
    schema,
    crypto,
    clock,
    memory,
    interval: options.checkpointInterval ?? 1000,
    connect: connectChecked,
    keyId: options.keyId,
    sign: (edge, { identity }) =>
      signCheckpoint(
        { origin: identity.origin, size: edge.size, root: rootOf(crypto, edge) },
        log,
        crypto,
      ),
    accept(size, checkpoint) {
      if (checkpoint !== undefined) void remember(checkpoint)
      pulse.announce(size)
    },
  })
  const pulse = createPulse({ clock, schema, connect, look })
  await writer.start()
  pulse.start()

  async function connectChecked(): Promise<Client> {
    const client = await connect()
    try {
      const load = async () => remembered?.load()
      warnings = await establish(client, { ...options, schema, memory, remembered: load, warn })
      openedAt ??= memory.edge.size
      return client
    } catch (error) {
      await client.close()
      throw error
    }
  }

  /** Sees what other replicas appended, and whether the database is still what it was. */
  async function look(): Promise<number> {
    if (writer.fault() !== undefined) return memory.edge.size
    const before = memory.edge
    try {
      const tip = tipOf(await pool.run({ text: `SELECT * FROM ${schema.tip}` }))
      const rows =
        tip.edge.size > before.size ? await pool.run(leavesAfter(schema, before.size)) : []
      const leaves = rows.map((row) => bytesOf(row, 'leaf'))
      await memory.follow(before, tip, leaves, tileReader(pool.run, crypto, schema))
      if (isOurs(tip.checkpoint)) await remember(tip.checkpoint)
      return tip.edge.size
    } catch (error) {
      // A server that answers with an error is there; the writer finds out whether it writes.
      if (isKernelError(error) && sqlStateOf(error.cause) === undefined) writer.lose(error)
      throw error
    }
  }

  function isOurs(checkpoint: Uint8Array): boolean {
    const origin = memory.identity?.origin ?? ''
    try {
      openCheckpoint(checkpoint, { origin, publicKey: log.publicKey }, crypto)
      return true
    } catch (error) {
      if (!isKernelError(error)) throw error
      return false
    }
  }

  async function remember(checkpoint: Uint8Array): Promise<void> {
    if (remembered === undefined || equalBytes(checkpoint, saved)) return
    saved = checkpoint
    try {
      await remembered.save(checkpoint)
      notSaved = undefined
    } catch (error) {
      notSaved = `the checkpoint is not kept outside of the database: ${messageOf(error)}`
    }
  }

  return {
    ...view,
    unresolved: () => view.unresolved(openedAt),
    get identity() {
      return memory.identity
    },
    append: writer.append,
    health: writer.fault,
    warnings: () => [onTls, notSaved, ...warnings].filter((one) => one !== undefined),
    watch: pulse.watch,
    publish: writer.publish,
    keep: () => postgresKeep(blobs, schema),
    async close() {
      await writer.close()
      await pulse.close()
      await pool.close()
      await blobs.close()
    },
  }
}

function ignore(): void {
  // Nobody listens.
}
