import { type Clock, createCancel, KernelError } from '@helm-ai-kernel/core'
import postgres from 'postgres'
import type { Database } from './database-url.ts'
import { tlsOptions } from './tls.ts'

/** What a statement may take on the server. */
export const statementMs = 5000
/** How long its answer is waited for: the network has some time too. */
const deadlineMs = 6000
const closedMs = 1000

export type Row = Readonly<Record<string, unknown>>
export type Parameter = string | number | Uint8Array | null

/** One statement; without parameters it may be several, and the rows are the last one's. */
export interface Statement {
  readonly text: string
  readonly parameters?: readonly Parameter[]
  /** Whether the server keeps its plan: for a text of which there are few. */
  readonly prepare?: boolean
}

export interface Answer {
  readonly rows: readonly Row[]
  /** `COMMIT`, `INSERT`, … */
  readonly command: string
}

export type Outcome = PromiseSettledResult<Answer>

/** One connection for its one life. After a failure it is closed, never used again. */
export interface Client {
  /** Whether it will never answer again. */
  readonly lost: boolean
  /** Sends all at once and resolves to one outcome each, in order. Never rejects. */
  send(statements: readonly Statement[], deadline?: number): Promise<readonly Outcome[]>
  /** One statement; rejects as it does. */
  run(statement: Statement, deadline?: number): Promise<readonly Row[]>
  /** What the server says, not asked; called with the channel. */
  onNotify(listener: () => void): void
  /** Called once, when the connection is gone. */
  onLost(listener: () => void): void
  close(): Promise<void>
}

export interface ClientOptions {
  readonly database: Database
  /** PEM of what the server's certificate must lead to. */
  readonly ca?: string
  readonly clock: Clock
  /** Hears what the server warns of. */
  readonly warn: (message: string) => void
  /** What a statement may take on the server, ms; `statementMs` when absent. */
  readonly timeout?: number
}

/** Settings of every session; names of tables are always given with their schema. */
const settings = [
  "SET search_path = ''",
  'SET synchronous_commit = on',
  // Plans made while a table was small would read all of it when it is large.
  'SET plan_cache_mode = force_custom_plan',
  'SET jit = off',
]

/** Connects. Rejects with what the network, TLS or the server said. */
export async function connectClient(options: ClientOptions): Promise<Client> {
  const client = createClient(options)
  try {
    const timeout = `SET statement_timeout = ${options.timeout ?? statementMs}`
    await client.run({ text: [...settings, timeout].join(';') })
    return client
  } catch (error) {
    await client.close()
    throw error
  }
}

function createClient({ database, ca, clock, warn }: ClientOptions): Client {
  let lost = false
  let heard: () => void = nothing
  let gone: () => void = nothing

  // Everything that could else come from PG* variables of the environment is given.
  const options: postgres.Options<Record<string, never>> & Unlisted = {
    ...(database.host.startsWith('/')
      ? { host: 'localhost', path: `${database.host}/.s.PGSQL.${database.port}` }
      : { host: database.host }),
    port: database.port,
    database: database.name,
    user: database.user,
    password: database.password,
    ssl: tlsOptions(database, ca),
    sslnegotiation: null,
    // INVARIANT: one connection, so that BEGIN and what follows it are on the same one.
    max: 1,
    max_pipeline: 100,
    max_lifetime: null,
    idle_timeout: 0,
    connect_timeout: 5,
    keep_alive: 15,
    backoff: () => 1,
    prepare: true,
    debug: false,
    // Nothing here needs them, and a failure to read them could not be caught.
    fetch_types: false,
    no_subscribe: true,
    connection: { application_name: 'helm-ai-kernel' },
    onnotice({ severity = '', message = '' }) {
      if (severity === 'WARNING') warn(`the database warns: ${message}`)
    },
    onnotify: () => heard(),
    onclose: lose,
  }
  const sql = postgres(options)
  // INVARIANT: no second connection is made: a statement of a transaction that died with the first one
  // would stand alone there, and while a server closes connections before they are ready postgres.js
  // makes them without end or pause. It asks for `socket` twice for each.
  let asked = 0
  Object.defineProperty(sql.options, 'socket', { get: () => (++asked > 2 ? refuse : undefined) })

  function lose(): void {
    if (lost) return
    lost = true
    gone()
  }

  async function send(
    statements: readonly Statement[],
    deadline = deadlineMs,
  ): Promise<readonly Outcome[]> {
    const none = (): readonly Outcome[] =>
      statements.map(() => ({ status: 'rejected', reason: refusal() }))
    if (lost) return none()
    const answers = Promise.allSettled(statements.map(execute))
    const done = createCancel()
    const late = clock.sleep(deadline, done).then(() => undefined)
    const outcomes = await Promise.race([answers, late])
    done.abort()
    if (outcomes !== undefined) return outcomes
    await close()
    // A connection that was closed answers everybody at once, or never.
    return Promise.race([answers, clock.sleep(closedMs).then(none)])
  }

  async function execute({ text, parameters, prepare = true }: Statement): Promise<Answer> {
    const isSimple = parameters === undefined
    const result = await sql.unsafe<Row[]>(text, isSimple ? [] : [...parameters], {
      ...(isSimple ? {} : { prepare }),
    })
    const last: unknown = result.at(-1)
    // Several statements give a list of results, of which those with rows are lists too.
    return { rows: Array.isArray(last) ? last : result, command: result.command }
  }

  async function close(): Promise<void> {
    lose()
    await sql.end({ timeout: 0 })
  }

  return {
    get lost() {
      return lost
    },
    send,
    async run(statement, deadline) {
      const [outcome] = await send([statement], deadline)
      if (outcome?.status !== 'fulfilled') throw outcome?.reason
      return outcome.value.rows
    },
    onNotify: (listener) => void (heard = listener),
    onLost: (listener) => void (gone = listener),
    close,
  }
}

/** What postgres.js takes and its types do not list. */
interface Unlisted {
  readonly max_pipeline: number
  readonly sslnegotiation: null
  readonly no_subscribe: boolean
  readonly onnotify: () => void
}

function refuse(): never {
  throw refusal()
}

function refusal(): KernelError {
  return new KernelError('LEDGER_UNAVAILABLE', 'the database closed the connection')
}

function nothing(): void {
  // Nobody listens.
}

/** Whether the server itself said no: the statement was answered, and did nothing. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined
}
