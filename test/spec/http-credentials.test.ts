import { describe, expect, test } from 'vitest'
import { isKernelError } from '@helm-ai-kernel/core'
import { type CredentialInput, credentialsOf, parseClientKeys } from '@helm-ai-kernel/http'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import { credentialInput } from '../support/http.ts'

const entry = {
  name: 'agent',
  key_sha256: 'A'.repeat(64),
  tenant_id: 'acme',
  workspace_id: 'prod',
  principal: 'agent:support',
  roles: ['decide', 'read'],
}

const encode = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))

function refusal(run: () => unknown): { code: string; message: string } {
  try {
    run()
  } catch (error) {
    if (isKernelError(error)) return { code: error.code, message: error.message }
  }
  throw new Error('nothing was refused')
}

describe('the API keys file', () => {
  test('is a list of keys', () => {
    const notAfter = '2027-01-31T00:00:00.000Z'
    expect(parseClientKeys(encode([{ ...entry, not_after: notAfter }]))).toEqual([
      { ...entry, key_sha256: 'a'.repeat(64), not_after: notAfter },
    ])
    expect(parseClientKeys(encode([]))).toEqual([])
  })

  test.each([
    ['no JSON', '[', 'line 1'],
    ['no list', '{}', 'list'],
    ['an entry that is no object', [entry, 7], '[1]'],
    ['an unknown member', [{ ...entry, key: 'x' }], '[0].key'],
    ['a member twice', '[{"name":"a","name":"b"}]', 'name'],
    ['no name', [{ ...entry, name: undefined }], 'name'],
    ['a name with a space', [{ ...entry, name: 'a b' }], '[0].name'],
    ['a digest that is too short', [{ ...entry, key_sha256: 'aa' }], '[0].key_sha256'],
    [
      'a digest that is the key',
      [{ ...entry, key_sha256: `helm_${'a'.repeat(59)}` }],
      'key_sha256',
    ],
    ['a tenant with a slash', [{ ...entry, tenant_id: 'a/b' }], 'tenant_id'],
    ['an empty principal', [{ ...entry, principal: '' }], '[0].principal'],
    ['a principal of 257 bytes', [{ ...entry, principal: 'a'.repeat(257) }], '[0].principal'],
    ['a principal with a bidi control', [{ ...entry, principal: 'a\u202e' }], '[0].principal'],
    ['no roles', [{ ...entry, roles: [] }], '[0].roles'],
    ['an unknown role', [{ ...entry, roles: ['admin'] }], '[0].roles'],
    ['the role of the service key', [{ ...entry, roles: ['internal'] }], '[0].roles'],
    ['a role twice', [{ ...entry, roles: ['read', 'read'] }], '[0].roles'],
    ['audit beside another role', [{ ...entry, roles: ['audit', 'read'] }], '[0].roles'],
    ['a day for not_after', [{ ...entry, not_after: '2027-01-31' }], '[0].not_after'],
    [
      'a day that does not exist',
      [{ ...entry, not_after: '2027-02-30T00:00:00.000Z' }],
      'not_after',
    ],
  ])('with %s is refused, and the place is named', (_name, file, place) => {
    const { code, message } = refusal(() => parseClientKeys(encode(file)))
    expect(code).toBe('API_KEYS_INVALID')
    expect(message).toContain(place)
  })
})

describe('credentials', () => {
  const load = (more: Partial<CredentialInput>): unknown =>
    credentialsOf({ ...credentialInput, ...more }, nodeCrypto)
  const other = credentialInput.clients[0]
  if (other === undefined) throw new Error('the support has clients')
  const helm = { tenantId: 'helm', workspaceId: 'system' }

  test.each<[string, Partial<CredentialInput>, string, string]>([
    [
      'the service key equals the admin key',
      { serviceKey: 'helm_admin' },
      'CONFIG_INVALID',
      'HELM_SERVICE_API_KEY',
    ],
    [
      'a client has the admin key',
      { adminKey: 'helm_agent' },
      'API_KEYS_INVALID',
      'HELM_ADMIN_API_KEY',
    ],
    [
      'two clients have one key',
      { clients: [other, { ...other, name: 'b' }] },
      'API_KEYS_INVALID',
      '[1]',
    ],
    [
      'two clients have one name',
      { clients: [other, { ...other, key_sha256: '0'.repeat(64) }] },
      'API_KEYS_INVALID',
      '[1]',
    ],
    [
      'a client is called admin',
      { clients: [{ ...other, name: 'admin' }] },
      'API_KEYS_INVALID',
      '[0]',
    ],
    [
      'a client has the reserved scope',
      { clients: [{ ...other, tenant_id: 'helm', workspace_id: 'system' }] },
      'API_KEYS_INVALID',
      'helm/system',
    ],
    [
      'the runtime has the reserved scope',
      { runtime: { scope: helm, principal: 'p' } },
      'CONFIG_INVALID',
      'HELM_RUNTIME_TENANT_ID',
    ],
    [
      'the runtime principal is no name',
      { runtime: { ...credentialInput.runtime, principal: 'a\n' } },
      'CONFIG_INVALID',
      'HELM_RUNTIME_PRINCIPAL_ID',
    ],
    ['the admin key has a space', { adminKey: 'my key' }, 'CONFIG_INVALID', 'HELM_ADMIN_API_KEY'],
    ['the admin key has a comma', { adminKey: 'my,key' }, 'CONFIG_INVALID', 'HELM_ADMIN_API_KEY'],
    ['the service key is empty', { serviceKey: '' }, 'CONFIG_INVALID', 'HELM_SERVICE_API_KEY'],
  ])('do not load when %s', (_name, more, code, place) => {
    const refused = refusal(() => load(more))
    expect(refused.code).toBe(code)
    expect(refused.message).toContain(place)
    expect(refused.message).not.toContain('helm_')
    expect(refused.message).not.toContain('my')
  })

  test('are compared by digest: whoever holds only the file holds no key', () => {
    const credentials = credentialsOf(credentialInput, nodeCrypto)
    expect(credentials.find('helm_agent')?.name).toBe('agent')
    expect(credentials.find(other.key_sha256)).toBeUndefined()
  })
})
