import {
  type Crypto,
  decodeHex,
  encodeHex,
  equalBytes,
  isText,
  KernelError,
  parseTimestamp,
  sameScope,
  type Scope,
  scopeOf,
  systemScope,
} from '@helm-ai-kernel/core'
import type { ClientKey } from './client-keys.ts'
import { clientRoles, type Role } from './role.ts'

/** Who holds a key: exactly one scope and one principal. */
export interface Credential {
  /** Stands in receipts. */
  readonly name: string
  readonly scope: Scope
  readonly principal: string
  readonly roles: readonly Role[]
  /** Wall ms from which it opens nothing. */
  readonly notAfter: number | undefined
}

/** The keys that this kernel knows, by their digests. */
export interface Credentials {
  /** Whether there is any key for the API; without one nobody gets in. */
  readonly configured: boolean
  /** Whether there is a service key; without one nobody opens /internal. */
  readonly internalConfigured: boolean
  /** Whose key this is. */
  find(key: string): Credential | undefined
}

export interface CredentialInput {
  readonly adminKey?: string | undefined
  readonly serviceKey?: string | undefined
  readonly clients: readonly ClientKey[]
  /** Scope and principal of the admin key. */
  readonly runtime: { readonly scope: Scope; readonly principal: string }
}

interface Held {
  readonly digest: Uint8Array
  readonly credential: Credential
  /** The variable, or the entry of the keys file. */
  readonly at: string
}

const keyForm = /^[\x21-\x2b\x2d-\x7e]{1,512}$/

/** Whether it can stand after `Bearer`; a comma would look like two headers joined. */
export function isKey(text: string): boolean {
  return keyForm.test(text)
}

/**
 * Puts the keys together. Throws `CONFIG_INVALID`, or `API_KEYS_INVALID` when it is the keys file's
 * fault, naming the place: a key that cannot be sent, equal keys, equal names, the reserved scope.
 */
export function credentialsOf(input: CredentialInput, crypto: Crypto): Credentials {
  const encoder = new TextEncoder()
  const digestOf = (key: string): Uint8Array => crypto.sha256(encoder.encode(key))
  const held: readonly Held[] = [
    ...ownKeys(input, digestOf),
    ...input.clients.map((key, i) => clientKey(key, `[${i}]`)),
  ]
  refuseTwice(held)
  const isInternal = ({ credential }: Held): boolean => credential.roles.includes('internal')
  return Object.freeze({
    configured: !held.every(isInternal),
    internalConfigured: held.some(isInternal),
    find(key: string) {
      const digest = digestOf(key)
      let found: Credential | undefined
      // INVARIANT: every digest is compared to its end, so the time tells nothing about any of them.
      for (const entry of held) if (equalBytes(entry.digest, digest)) found = entry.credential
      return found
    },
  })
}

function ownKeys(
  { adminKey, serviceKey, runtime }: CredentialInput,
  digestOf: (key: string) => Uint8Array,
): readonly Held[] {
  refuseReserved(runtime.scope, 'CONFIG_INVALID', 'HELM_RUNTIME_TENANT_ID')
  if (runtime.principal === '' || !isText(runtime.principal, 256)) {
    throw new KernelError('CONFIG_INVALID', 'must be 1 to 256 bytes without control characters', {
      at: 'HELM_RUNTIME_PRINCIPAL_ID',
    })
  }
  const all = [
    { key: adminKey, name: 'admin', roles: clientRoles, at: 'HELM_ADMIN_API_KEY' },
    { key: serviceKey, name: 'service', roles: ['internal'], at: 'HELM_SERVICE_API_KEY' },
  ] as const
  return all.flatMap(({ key, name, roles, at }) => {
    if (key === undefined) return []
    if (!isKey(key)) {
      throw new KernelError(
        'CONFIG_INVALID',
        'an API key is 1 to 512 visible ASCII characters without a comma: make one with keygen --api',
        { at },
      )
    }
    const credential = Object.freeze({ ...runtime, name, roles, notAfter: undefined })
    return [{ digest: digestOf(key), credential, at }]
  })
}

function clientKey(key: ClientKey, at: string): Held {
  const { name, principal, roles, not_after: notAfter } = key
  const scope = scopeOf(key.tenant_id, key.workspace_id)
  refuseReserved(scope, 'API_KEYS_INVALID', at)
  return {
    digest: decodeHex(key.key_sha256, 32, `${at}.key_sha256`, 'API_KEYS_INVALID'),
    credential: Object.freeze({
      name,
      scope,
      principal,
      roles,
      notAfter: notAfter === undefined ? undefined : (parseTimestamp(notAfter) ?? 0),
    }),
    at,
  }
}

function refuseReserved(
  scope: Scope,
  code: 'CONFIG_INVALID' | 'API_KEYS_INVALID',
  at: string,
): void {
  if (!sameScope(scope, systemScope)) return
  throw new KernelError(code, 'the scope helm/system is reserved: name another', { at })
}

function refuseTwice(held: readonly Held[]): void {
  const seen = new Map<string, string>()
  for (const { digest, credential, at } of held) {
    const code = at.startsWith('[') ? 'API_KEYS_INVALID' : 'CONFIG_INVALID'
    for (const [what, value] of [
      ['key', encodeHex(digest)],
      ['name', credential.name],
    ] as const) {
      const before = seen.get(`${what} ${value}`)
      if (before !== undefined) {
        throw new KernelError(code, `has the same ${what} as ${before}: give it another`, { at })
      }
      seen.set(`${what} ${value}`, at)
    }
  }
}
