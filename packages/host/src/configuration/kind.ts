import { isIP, isIPv4 } from 'node:net'
import {
  isKeyId,
  parseDuration,
  parsePublicKey,
  parseSeed,
  sameScope,
  type Scope,
  scopeOf,
  systemScope,
} from '@helm-ai-kernel/core'

/** A form that the text of a setting may have. */
export interface Kind<T> {
  /** What the text must be, to stand after "must be". */
  readonly expected: string
  /** Undefined when the text is not so. */
  parse(text: string): T | undefined
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])

export const bool: Kind<boolean> = {
  expected: 'true, false, 1 or 0',
  parse: (text) => booleans.get(text),
}

export const port: Kind<number> = integer(0, 65_535, 'a port from 0 to 65535; 0 takes a free one')

export function integer(least: number, most: number, expected?: string): Kind<number> {
  return {
    expected: expected ?? `an integer from ${least} to ${most}`,
    parse(text) {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN
      return value >= least && value <= most ? value : undefined
    },
  }
}

/** Milliseconds. Not longer than a timer can wait. */
export function duration(least: string): Kind<number> {
  const shortest = parseDuration(least) ?? 0
  const longest = 480 * 3_600_000
  return {
    expected: `a duration from ${least} to 480h, such as 500ms, 10s or 1h30m`,
    parse(text) {
      const ms = parseDuration(text)
      return ms !== undefined && ms >= shortest && ms <= longest ? ms : undefined
    },
  }
}

/** Infinity when it is off. */
export const rate: Kind<number> = {
  expected: 'off, or requests a second from 1 to 1000000',
  parse: (text) => (text === 'off' ? Infinity : integer(1, 1_000_000).parse(text)),
}

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    expected: `one of ${values.join(', ')}`,
    parse: (text) => values.find((value) => value === text),
  }
}

export function matching(pattern: RegExp, expected: string): Kind<string> {
  return { expected, parse: (text) => (pattern.test(text) ? text : undefined) }
}

export function listOf<T>(kind: Kind<T>, what: string): Kind<readonly T[]> {
  return {
    expected: `${what}, separated by commas, each ${kind.expected}`,
    parse(text) {
      const values = text.split(',').map((part) => kind.parse(part.trim()))
      return values.includes(undefined) ? undefined : (values as readonly T[])
    },
  }
}

const oneLine = /^[^\p{Cc}]{1,4096}$/u

export const text: Kind<string> = matching(oneLine, 'a text of one line')

export const path: Kind<string> = matching(oneLine, 'a path')

export const identifier: Kind<string> = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  '1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit',
)

export const address: Kind<string> = {
  expected: 'an IP address or localhost, such as 127.0.0.1 or 0.0.0.0',
  parse: (given) => (isIP(given) !== 0 || given === 'localhost' ? given : undefined),
}

export const apiKey: Kind<string> = matching(
  /^[\x21-\x2b\x2d-\x7e]{1,512}$/,
  '1 to 512 visible ASCII characters without a comma; keygen --api makes one',
)

/** 32 bytes. */
export const seed: Kind<Uint8Array> = {
  expected: '64 hex digits, an Ed25519 seed; keygen makes one',
  parse: (hex) => orUndefined(() => parseSeed(hex, 'seed')),
}

/** 64 hex, either case. */
export const publicKey: Kind<string> = {
  expected: '64 hex digits, an Ed25519 public key that keygen made',
  parse: (hex) => orUndefined(() => (parsePublicKey(hex, 'key'), hex)),
}

export const keyName: Kind<string> = {
  expected: 'a key id such as ed25519:0123456789abcdef, or 64 hex digits of a public key',
  parse: (given) => (isKeyId(given) ? given : publicKey.parse(given)),
}

export const webOrigin: Kind<string> = {
  expected: 'an origin such as https://console.example',
  parse: (given) => orUndefined(() => (new URL(given).origin === given ? given : undefined)),
}

/** Nobody on the way reads what is sent: https, or to this machine. No secret can be hidden in it. */
export const serviceUrl: Kind<string> = {
  expected:
    'an https:// URL without user, query and fragment, such as https://policy.example; ' +
    'http:// for a loopback address',
  parse(given) {
    const url = URL.canParse(given) ? new URL(given) : undefined
    if (url === undefined || /[\s?#@]/.test(given)) return undefined
    const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
    return isSafe ? given : undefined
  },
}

export const token: Kind<string> = matching(
  /^[\x21-\x7e]{1,8192}$/,
  '1 to 8192 visible ASCII characters',
)

const scope: Kind<Scope> = {
  expected: 'tenant/workspace, such as acme/prod, but not helm/system',
  parse(given) {
    const [tenant = '', workspace = '', ...more] = given.split('/')
    const named = orUndefined(() => scopeOf(tenant, workspace))
    return named === undefined || more.length > 0 || sameScope(named, systemScope)
      ? undefined
      : named
  },
}

export const scopes: Kind<readonly Scope[]> = listOf(scope, 'scopes')

export const readyScopes: Kind<'runtime' | 'all' | readonly Scope[]> = {
  expected: `runtime, all, or ${scopes.expected}`,
  parse: (given) => choice('runtime', 'all').parse(given) ?? scopes.parse(given),
}

function isLoopback({ hostname }: URL): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  return isIPv4(hostname) && hostname.startsWith('127.')
}

function orUndefined<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
