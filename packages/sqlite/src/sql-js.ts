import { KernelError, messageOf } from '@helm-ai-kernel/core'
import initSqlJs from 'sql.js'

/** SQLite in WebAssembly. Its databases live in memory; one heap serves the whole process. */
export interface Sqlite {
  /** A new database, empty or with the content of a database file. */
  database(bytes?: Uint8Array): Database
}

export interface Database {
  run(sql: string): unknown
  prepare(sql: string): Statement
  /** The bytes of a database file. INVARIANT: every statement made before is of no use afterwards. */
  export(): Uint8Array
  close(): void
}

export interface Statement {
  /** Runs it once with these values, without an answer. */
  run(values?: Value[]): void
  bind(values: Value[]): boolean
  /** Whether there is a next row, which `get` then gives. */
  step(): boolean
  get(): Value[]
  reset(): void
  free(): boolean
}

export type Value = number | string | Uint8Array | null

export interface SqliteOptions {
  /**
   * Makes the WebAssembly instance from the file `sql-wasm.wasm` of sql.js, for hosts that cannot read
   * files or may not compile at run time, and for bundles:
   *
   *     import wasm from 'sql.js/dist/sql-wasm-browser.wasm'
   *     openSqlite({ instantiate: (imports) => WebAssembly.instantiate(wasm, imports) })
   */
  readonly instantiate?: (imports: Imports) => Promise<object>
}

/** A `WebAssembly.Imports`; the library of types that names it is not among this package's. */
export type Imports = Record<string, Record<string, never>>

/**
 * Starts SQLite. Without options the WebAssembly is read from beside sql.js itself, which Node, Deno
 * and Bun can do from its package; nothing is fetched. The first call of a process decides: a later one
 * gets the same SQLite, or the same failure. Throws `INTERNAL` when it does not start.
 */
export async function openSqlite({ instantiate }: SqliteOptions = {}): Promise<Sqlite> {
  try {
    const { Database } = await initSqlJs(instantiate === undefined ? {} : configOf(instantiate))
    return Object.freeze({ database: (bytes?: Uint8Array): Database => new Database(bytes) })
  } catch (cause) {
    const message = `SQLite does not start: ${messageOf(cause)}; see SqliteOptions.instantiate`
    throw new KernelError('INTERNAL', message, { cause })
  }
}

function configOf(instantiate: NonNullable<SqliteOptions['instantiate']>): Config {
  const config: Config = {
    instantiateWasm(imports, take) {
      instantiate(imports).then(
        (made) => take('instance' in made ? made.instance : made),
        // sql.js listens here, and would wait for ever otherwise.
        (error: unknown) => config.onAbort?.(messageOf(error)),
      )
      return {}
    },
  }
  return config
}

/** What sql.js takes, and adds to. */
interface Config {
  instantiateWasm(imports: Imports, take: (instance: unknown) => void): object
  onAbort?: (message: string) => void
}
