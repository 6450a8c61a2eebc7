import {
  type Crypto,
  decodeHex,
  encodeHex,
  equalBytes,
  type ErrorCode,
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
  /** Whose key this is. Takes the same time for every key that is not known. */
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
  /** What to look at when it cannot be used. */
  readonly source: Source
}

interface Source {
  readonly code: ErrorCode
  readonly at: string
}

const adminSource: Source = { code: 'CONFIG_INVALID', at: 'HELM_ADMIN_API_KEY' }
const serviceSource: Source = { code: 'CONFIG_INVALID', at: 'HELM_SERVICE_API_KEY' }

/** What can stand in `Authorization: Bearer …`; a comma would look like two headers joined. */
export const keyForm: RegExp = /^[\x21-\x2b\x2d-\x7e]{1,512}$/

/**
 * Puts the keys together. Throws `CONFIG_INVALID` or `API_KEYS_INVALID`, naming the variable or the
 * entry: a key that cannot be sent, two keys or two names that are equal, the reserved scope.
 */
export function credentialsOf(input: CredentialInput, crypto: Crypto): Credentials {
  const encoder = new TextEncoder()
  const digestOf = (key: string): Uint8Array => crypto.sha256(encoder.encode(key))
  const held = heldBy(input, digestOf)
  for (const [i, { credential, source, digest }] of held.entries()) {
    if (sameScope(credential.scope, systemScope)) {
      throw new KernelError(source.code, 'helm/system is reserved: no credential may name it', {
        at: source.at,
      })
    }
    for (const before of held.slice(0, i)) {
      if (equalBytes(before.digest, digest)) {
        throw new KernelError(source.code, `is the same key as ${before.source.at}: make another`, {
          at: source.at,
        })
      }
      if (before.credential.name === credential.name) {
        throw new KernelError(source.code, `the name ${credential.name} is taken: use another`, {
          at: source.at,
        })
      }
    }
  }
  return Object.freeze({
    configured: held.some(({ credential }) => !credential.roles.includes('internal')),
    find(key: string) {
      const digest = digestOf(key)
      let found: Credential | undefined
      // Every digest is compared to the end, so the time says nothing about which came close.
      for (const entry of held) if (equalBytes(entry.digest, digest)) found = entry.credential
      return found
    },
  })
}

function heldBy(
  { adminKey, serviceKey, clients, runtime }: CredentialInput,
  digestOf: (key: string) => Uint8Array,
): readonly Held[] {
  const own = (
    key: string | undefined,
    name: string,
    roles: readonly Role[],
    source: Source,
  ): readonly Held[] => {
    if (key === undefined) return []
    if (!keyForm.test(key)) {
      throw new KernelError(
        source.code,
        'an API key is 1 to 512 visible ASCII characters without a comma',
        { at: source.at },
      )
    }
    const credential = Object.freeze({ ...runtime, name, roles, notAfter: undefined })
    return [{ digest: digestOf(key), credential, source }]
  }
  return [
    ...own(adminKey, 'admin', clientRoles, adminSource),
    ...own(serviceKey, 'service', ['internal'], serviceSource),
    ...clients.map((key, i) => client(key, { code: 'API_KEYS_INVALID', at: `[${i}]` })),
  ]
}

function client(key: ClientKey, source: Source): Held {
  const { name, principal, roles, not_after: notAfter } = key
  return {
    digest: decodeHex(key.key_sha256, 32, 'key_sha256'),
    credential: Object.freeze({
      name,
      scope: scopeOf(key.tenant_id, key.workspace_id),
      principal,
      roles,
      notAfter: notAfter === undefined ? undefined : parseTimestamp(notAfter),
    }),
    source,
  }
}
