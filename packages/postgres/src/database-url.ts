import { KernelError } from '@helm-ai-kernel/core'

const tlsModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

/** As libpq's sslmode; `prefer` and `require` verify nothing. */
export type TlsMode = (typeof tlsModes)[number]

/** Where a database is, and how it is spoken to. */
export interface Database {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly name: string
  readonly user: string
  /** A function, so that whoever prints this does not print it. */
  readonly password: () => string
  readonly tls: TlsMode
  /** Path of the PEM that the server's certificate must lead to; the host reads it. */
  readonly caFile: string | undefined
}

const form =
  /^postgres(?:ql)?:\/\/([^:@/?#]+)(?::([^:@/?#]*))?@(\[[0-9a-fA-F:.]+\]|[^:@/?#,[\]]*)(?::([1-9]\d{0,4}))?\/([^/?#]+)(?:\?([^#]*))?$/
const parameters: ReadonlySet<string> = new Set(['host', 'sslmode', 'sslrootcert'])

/**
 * Reads a DATABASE_URL: `postgres://user:password@host:port/database?sslmode=verify-full`, with
 * `sslrootcert=<file>` or `system`, and `host=<folder>` for a Unix socket. Without sslmode it is
 * `prefer`, as in libpq. Throws `CONFIG_INVALID`; no error repeats any part of the URL that may be
 * secret.
 */
export function parseDatabaseUrl(url: string): Database {
  const parts = form.exec(url)
  if (parts === null) {
    throw invalid(
      'it must be postgres://user:password@host:port/database: one host, and any of ' +
        ': / ? # @ [ ] % in user and password written as % and two hex digits',
    )
  }
  const [, user = '', password = '', host = '', port = '5432', name = '', query = ''] = parts
  const given = readParameters(query)
  const socket = given.get('host')
  if (socket !== undefined && !/^\/[^\0,]*$/.test(socket)) {
    throw invalid('the parameter host must be the folder of a Unix socket')
  }
  if (socket === undefined && host === '') throw invalid('it must name a host')
  if (Number(port) > 65_535) throw invalid('the port must be 1 to 65535')
  const secret = decode(password, 'password')
  return Object.freeze({
    host: socket ?? decode(host.replace(/^\[|\]$/g, ''), 'host'),
    port: Number(port),
    name: decode(name, 'database'),
    user: decode(user, 'user'),
    password: () => secret,
    ...readTls(given, socket !== undefined),
  })
}

function readTls(given: ReadonlyMap<string, string>, isSocket: boolean) {
  const mode = given.get('sslmode')
  const root = given.get('sslrootcert')
  const tls = tlsModes.find((one) => one === (mode ?? (isSocket ? 'disable' : 'prefer')))
  if (tls === undefined) throw invalid(`sslmode must be one of ${tlsModes.join(', ')}`)
  if (root === undefined) return { tls, caFile: undefined }
  if (tls === 'disable' || tls === 'prefer') {
    throw invalid('sslrootcert needs sslmode=verify-full, or nothing is held against it')
  }
  // As libpq has it: `system` verifies in full, and a root turns `require` into `verify-ca`.
  if (root === 'system') return { tls: 'verify-full' as const, caFile: undefined }
  return { tls: tls === 'require' ? ('verify-ca' as const) : tls, caFile: root }
}

function readParameters(query: string): ReadonlyMap<string, string> {
  const given = new Map<string, string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/.exec(pair) ?? []
    if (!parameters.has(name) || given.has(name)) {
      throw invalid(`its parameters are ${[...parameters].join(', ')}, each once: remove others`)
    }
    given.set(name, decode(value, name))
  }
  return given
}

function decode(text: string, what: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    // The error would quote what it could not decode.
    throw invalid(`its ${what} has a % that is not followed by two hex digits of UTF-8`)
  }
  // The start-up message of the protocol ends each field with a zero byte.
  if (/[\0-\x1f]/.test(decoded)) throw invalid(`its ${what} has a control character`)
  return decoded
}

function invalid(why: string): KernelError {
  return new KernelError('CONFIG_INVALID', `DATABASE_URL is no address of a database: ${why}`)
}
