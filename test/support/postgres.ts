import { execFile, execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { Ledger, Stored } from '@helm-ai-kernel/core'
import { createAudit } from '@helm-ai-kernel/core/receipt'
import { type PostgresLedger, type PostgresOptions, openPostgres } from '@helm-ai-kernel/postgres'
import postgres from 'postgres'
import { hostClock } from '../../packages/host/src/clock.ts'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { fakeClock } from './clock.ts'
import { seededRandom } from './kernel.ts'
import { key } from './ledger.ts'

const run = promisify(execFile)

/** Of the role that tests use, with characters that a URL must escape. */
export const password = 'correct horse/battery@staple'

/** A real server of the test's own, in a folder of its own, with fsync on. */
export interface TestServer {
  readonly port: number
  readonly folder: string
  /** DATABASE_URL of a role that owns the database `helm` and is no superuser. */
  readonly url: string
  /** The same for any role, database, port and host. */
  urlOf(more: Partial<Address>): string
  /** One statement, or several, as superuser. */
  sql(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  /** Changes postgresql.conf; a `stop` and a `start` bring it about. */
  set(settings: Readonly<Record<string, string>>): void
  stop(mode: 'fast' | 'immediate'): Promise<void>
  start(): Promise<void>
  /** While it is stopped: puts this folder in the place of its own. */
  replaceData(from: string): Promise<void>
  /** Stops it and removes everything. */
  end(): Promise<void>
}

export interface Address {
  readonly user: string
  readonly password: string
  readonly database: string
  readonly host: string
  readonly port: number
  readonly query: string
}

const binaries = findBinaries()

/** Whether there is a PostgreSQL to start; prints it when there is none. */
export const hasPostgres: boolean = binaries !== undefined
if (!hasPostgres) console.log('tests on PostgreSQL are skipped: there is no initdb and no postgres')

export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestServer> {
  const bin = binaries ?? ''
  // The server refuses to run as root.
  const owner = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : undefined
  const folder = fs.mkdtempSync(join(tmpdir(), 'helm-postgres-'))
  const data = join(folder, 'data')
  const secret = join(folder, 'password')
  fs.writeFileSync(secret, 'super')
  if (owner !== undefined)
    for (const path of [folder, secret]) fs.chownSync(path, owner.uid, owner.gid)
  const pg = (name: string, ...args: readonly string[]) =>
    run(join(bin, name), args, { ...owner, cwd: folder, env: { PATH: process.env['PATH'] } })
  await pg(
    'initdb',
    ...['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', secret],
    ...['-E', 'UTF8', '--no-locale', '--no-sync'],
  )
  const set = (more: Readonly<Record<string, string>>): void => {
    const lines = Object.entries(more).map(([name, value]) => `${name} = '${value}'\n`)
    fs.appendFileSync(join(data, 'postgresql.conf'), lines.join(''))
  }
  let port = 0
  const begin = () =>
    pg('pg_ctl', 'start', '-w', '-s', '-D', data, '-l', join(folder, 'log'), '-o', `-p ${port}`)
  const stop = (mode: 'fast' | 'immediate') =>
    pg('pg_ctl', 'stop', '-w', '-s', '-D', data, '-m', mode)
  set({ listen_addresses: '127.0.0.1', unix_socket_directories: folder, max_connections: '60' })
  set(settings)
  for (let attempt = 0; ; attempt++) {
    port = await freePort()
    try {
      await begin()
      break
    } catch (error) {
      if (attempt === 4)
        throw new Error(fs.readFileSync(join(folder, 'log'), 'utf8'), { cause: error })
    }
  }
  const urlOf = (more: Partial<Address>): string => {
    const { user, host, database, query, ...rest } = {
      ...{ user: 'helm', password, database: 'helm', host: '127.0.0.1', port, query: '' },
      ...more,
    }
    const who = `${user}:${encodeURIComponent(rest.password)}`
    return `postgres://${who}@${host}:${rest.port}/${database}${query}`
  }
  const sql = async (text: string, database = 'helm') => {
    const superuser = postgres(urlOf({ user: 'postgres', password: 'super', database }), {
      max: 1,
      onnotice: () => undefined,
    })
    try {
      return [...(await superuser.unsafe(text))]
    } finally {
      await superuser.end()
    }
  }
  await sql(`CREATE ROLE helm LOGIN PASSWORD '${password}'`, 'postgres')
  await sql('CREATE DATABASE helm OWNER helm', 'postgres')
  return {
    port,
    folder,
    url: urlOf({}),
    urlOf,
    sql,
    set,
    stop: async (mode) => {
      await stop(mode)
    },
    start: async () => {
      await begin()
    },
    async replaceData(from) {
      fs.rmSync(data, { recursive: true })
      fs.renameSync(from, data)
      if (owner !== undefined) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, data])
      fs.chmodSync(data, 0o700)
    },
    async end() {
      await stop('immediate').catch(() => undefined)
      fs.rmSync(folder, { recursive: true, force: true })
    },
  }
}

let schemas = 0

/** A schema name that no other test of this file has. */
export function freshSchema(): string {
  return `helm_${++schemas}`
}

/** Opens a ledger whose surroundings, but for the database, are in memory. */
export function openIn(
  server: Pick<TestServer, 'url'>,
  more: Partial<PostgresOptions> = {},
): Promise<PostgresLedger> {
  return openPostgres({
    url: server.url,
    clock: fakeClock(),
    random: seededRandom(),
    crypto,
    log: key.log,
    keyId: key.keyId,
    ...more,
  })
}

/** Every receipt of a ledger that must be well and pass an audit with its checkpoint. */
export async function auditedLog(ledger: Ledger): Promise<readonly Stored[]> {
  const { identity } = ledger
  const fault = ledger.health()
  if (identity === undefined || fault !== undefined) throw new Error(JSON.stringify(fault))
  await ledger.publish()
  const note = (await ledger.checkpoint()) ?? new Uint8Array()
  const receipts = await ledger.read(0, Number.MAX_SAFE_INTEGER)
  const audit = createAudit({
    crypto,
    identity,
    checkpoints: [{ name: 'checkpoint', note }],
    receipts: receipts.map(({ receiptId }) => receiptId),
  })
  for (const { entry } of receipts) audit.add(entry)
  const { verdict, checks, tree } = audit.finish()
  if (verdict === 'FAIL') throw new Error(JSON.stringify(checks, null, 1))
  if (tree.size !== (await ledger.state()).size) throw new Error('the log ends before its tip')
  return receipts
}

/** Resolves when the ledger appends again; the test's own time limit ends a wait in vain. */
export async function untilWell(ledger: Ledger): Promise<void> {
  while (ledger.health() !== undefined) await hostClock.sleep(20)
}

function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).sort().reverse() : []
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ]
  return folders.find((folder) =>
    ['initdb', 'postgres', 'pg_ctl'].every((name) => fs.existsSync(join(folder, name))),
  )
}

function id(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
