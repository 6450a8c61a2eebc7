import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import {
  type Cancel,
  digest,
  encodeHex,
  isKernelError,
  nobleCrypto as crypto,
  type PolicySource,
  type Scope,
  scopeKey,
  scopeOf,
} from '@helm-ai-kernel/core'
import { encodeBundle, signBundle } from '@helm-ai-kernel/core/bundle'
import { hostClock, parseConfiguration } from '@helm-ai-kernel/host'
import { clusterOf, crdSource } from '@helm-ai-kernel/kubernetes'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { policySigner, sampleRules } from '../support/kernel.ts'
import type { Answer, Call } from './admin.ts'
import { binaries } from './build.ts'
import { type Cluster, startCluster } from './cluster.ts'

const adapter = join(import.meta.dirname, '../../adapters/kubernetes')
const group = '/apis/policy.helm.ai/v1alpha1'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const crd =
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/helmpolicybundles.policy.helm.ai'
const serverSideApply = { 'content-type': 'application/apply-patch+yaml' }
const scope = scopeOf('acme', 'prod')
const open: Cancel = new AbortController().signal
/** A change takes its time through the caches of an API server; a test waits for it, not for a clock. */
const patient = { timeout: 30_000, interval: 50 }
const minute = 60_000

let cluster: Cluster
/** Why there is no cluster. */
let reason: string | undefined

beforeAll(async () => {
  const given = await binaries()
  if (typeof given === 'string') {
    reason = given
    console.log(`no cluster is tested: ${reason}`)
    return
  }
  cluster = await startCluster(given)
  await install()
}, 25 * minute)

afterAll(async () => {
  if (reason === undefined) await cluster.stop()
})

async function install(): Promise<void> {
  await cluster.apply(join(adapter, 'helmpolicybundles.yaml'), crd)
  await vi.waitUntil(async () => (await cluster.call('GET', group)).status === 200, patient)
}

let namespaces = 0
let namespace: string
let ended: AbortController
let woken: string[]
let logged: string[]
let source: PolicySource
let mount: string

beforeEach(async ({ skip }) => {
  if (reason !== undefined) skip(reason)
  namespace = `policies-${++namespaces}`
  mount = await fs.mkdtemp(join(tmpdir(), 'helm-service-account-'))
  await made('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  await made('POST', core('serviceaccounts'), { metadata: { name: 'kernel' } })
  const role = await fs.readFile(join(adapter, 'role.yaml'), 'utf8')
  const path = `${rbac}/namespaces/${namespace}/roles/helm-ai-kernel-policy?fieldManager=test`
  expect((await cluster.call('PATCH', path, role, serverSideApply)).status).toBe(201)
  await made('POST', `${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'kernel' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'helm-ai-kernel-policy' },
    subjects: [{ kind: 'ServiceAccount', name: 'kernel', namespace }],
  })
  const { json } = await made('POST', core('serviceaccounts/kernel/token'), { spec: {} })
  await fs.writeFile(join(mount, 'token'), (json as TokenRequest).status.token)
  await fs.writeFile(join(mount, 'ca.crt'), await cluster.ca())
  await fs.writeFile(join(mount, 'namespace'), namespace)
  ended = new AbortController()
  woken = []
  logged = []
  source = inPod()
  // RBAC has come through when the account may list.
  await vi.waitUntil(async () => (await told(source.scopes(open))) === 'none', patient)
})

afterEach(async () => {
  ended.abort()
  await fs.rm(mount, { recursive: true, force: true })
})

interface TokenRequest {
  readonly status: { readonly token: string }
}

/** The source as a pod has it: service account, environment and all. */
function inPod(): PolicySource {
  const environment = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String(cluster.port),
  }
  const { configuration } = parseConfiguration({ environment: {}, sources: ['mountedFile'] })
  const write = (message: string, fields: Record<string, unknown> = {}): void =>
    void logged.push([message, fields['reason']].join(': '))
  return crdSource({
    cluster: clusterOf(configuration, environment, mount),
    fresh: 0,
    clock: hostClock,
    log: { debug: write, info: write, warn: write, error: write },
    wake: (woke) => void woken.push(woke === undefined ? 'all' : scopeKey(woke)),
    ended: ended.signal,
  })
}

const core = (path: string): string => `/api/v1/namespaces/${namespace}/${path}`
const bundles = (name = ''): string => `${group}/namespaces/${namespace}/helmpolicybundles/${name}`

async function made(...args: Parameters<Call>): Promise<Answer> {
  const answer = await cluster.call(...args)
  expect(answer.status, JSON.stringify(answer.json)).toBeLessThan(300)
  return answer
}

async function told(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return isKernelError(error) ? `${error.code}: ${error.message}` : String(error)
  }
}

/** A bundle, and the object that says it is active. */
function policy(policyEpoch: number, of: Scope = scope) {
  const bytes = encodeBundle({ rules: sampleRules }, { scope: of, policyEpoch })
  const { signature } = signBundle(bytes, policySigner)
  const spec = {
    ...{ tenantId: of.tenantId, workspaceId: of.workspaceId },
    policyEpoch,
    policyHash: digest(crypto, bytes),
    bundleRef: { kind: 'ConfigMap', name: 'helm-policy', key: 'policy.bundle' },
    signature: encodeHex(signature),
  }
  return { bytes, text: new TextDecoder().decode(bytes), signature, spec }
}

function apply(name: string, spec: object): Promise<Answer> {
  const kind = { apiVersion: 'policy.helm.ai/v1alpha1', kind: 'HelmPolicyBundle' }
  const object = JSON.stringify({ ...kind, metadata: { name }, spec })
  return cluster.call('PATCH', `${bundles(name)}?fieldManager=test`, object, serverSideApply)
}

async function objectNow(name: string): Promise<Record<string, unknown>> {
  const { json } = await made('GET', bundles(name))
  return (json as { status?: Record<string, unknown> }).status ?? {}
}

type Status = Parameters<PolicySource['settled']>[1]

function settled(more: Partial<Status> = {}): Status {
  return {
    ...{ tenant_id: 'acme', workspace_id: 'prod', source: 'crd', provenance: 'signed' },
    ...{ reconcile_status: 'ok', snapshot_status: 'active', updated: true },
    ...{ last_attempt_at: null, last_verified_at: null, next_poll_at: null },
    ...{ age_seconds: 0, consecutive_failures: 0, installed_policy_epoch: 7 },
    ...more,
  }
}

describe('against a real API server', () => {
  it('serves heads, and the bytes from a ConfigMap and from a Secret', async () => {
    const { bytes, text, signature, spec } = policy(7)
    await made('POST', core('configmaps'), {
      metadata: { name: 'helm-policy' },
      data: { 'policy.bundle': text },
    })
    await made('POST', core('secrets'), {
      metadata: { name: 'helm-policy' },
      stringData: { 'policy.bundle': text },
    })
    expect((await apply('one', spec)).status).toBe(201)
    expect(await source.scopes(open)).toEqual([scope])
    const head = await source.head(scope, open)
    expect(head).toEqual({
      scope,
      policyEpoch: 7,
      policyHash: spec.policyHash,
      bundleRef: `ConfigMap/${namespace}/helm-policy:policy.bundle`,
      signatures: [{ keyId: undefined, signature }],
    })
    expect(await source.load(scope, head, open)).toEqual(bytes)

    const bundleRef = { ...spec.bundleRef, kind: 'Secret' }
    expect((await apply('one', { ...spec, bundleRef })).status).toBe(200)
    const other = await source.head(scope, open)
    expect(other.bundleRef).toBe(`Secret/${namespace}/helm-policy:policy.bundle`)
    expect(Buffer.from(await source.load(scope, other, open))).toEqual(Buffer.from(bytes))
  })

  it('reads a namespace of more objects than a page has', async () => {
    const names = Array.from({ length: 260 }, (_, i) => `w${i}`)
    for (let i = 0; i < names.length; i += 20) {
      const some = names.slice(i, i + 20)
      await Promise.all(some.map((name) => apply(name, policy(1, scopeOf('many', name)).spec)))
    }
    const scopes = await source.scopes(open)
    expect(scopes.map(({ workspaceId }) => workspaceId).sort()).toEqual([...names].sort())
  })

  it('is told of each change, and of no status', async () => {
    const { spec } = policy(7)
    await apply('one', spec)
    await vi.waitUntil(() => woken.length === 1, patient)
    await source.head(scope, open)
    source.settled(scope, settled())
    await vi.waitUntil(async () => 'conditions' in (await objectNow('one')), patient)
    await apply('one', policy(8).spec)
    await vi.waitUntil(() => woken.length === 2, patient)
    expect(await source.head(scope, open)).toMatchObject({ policyEpoch: 8 })
    await made('DELETE', bundles('one'))
    await vi.waitUntil(() => woken.length === 3, patient)
    expect(await source.scopes(open)).toEqual([])
    expect(woken).toEqual(['all', 'acme/prod', 'all'])
    expect(logged).toEqual([])
  })

  it('writes a status that kubectl shows', async () => {
    await apply('one', policy(7).spec)
    await source.head(scope, open)
    source.settled(scope, settled())
    await vi.waitUntil(async () => 'conditions' in (await objectNow('one')), patient)
    await apply('one', { ...policy(9).spec, signature: '00'.repeat(64) })
    await source.head(scope, open)
    source.settled(
      scope,
      settled({
        reconcile_status: 'invalid',
        reason_code: 'SIGNATURE_INVALID',
        reason: 'not signed',
      }),
    )
    await vi.waitUntil(async () => 'reasonCode' in (await objectNow('one')), patient)
    expect(await objectNow('one')).toMatchObject({
      observedGeneration: 2,
      installedPolicyEpoch: 7,
      reason: 'not signed',
      conditions: [{ type: 'Ready', status: 'False', reason: 'SIGNATURE_INVALID' }],
    })
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
    const { json } = await made('GET', bundles(), undefined, { accept })
    const { columnDefinitions, rows } = json as Table
    expect(columnDefinitions.map(({ name }) => name)).toEqual([
      'Name',
      'Tenant',
      'Workspace',
      'Epoch',
      'Installed',
      'Reason',
      'Age',
    ])
    expect(rows[0]?.cells.slice(0, 6)).toEqual(['one', 'acme', 'prod', 9, 7, 'SIGNATURE_INVALID'])
    source.settled(scope, settled({ installed_policy_epoch: 9 }))
    await vi.waitUntil(async () => !('reasonCode' in (await objectNow('one'))), patient)
    expect(await objectNow('one')).toMatchObject({ installedPolicyEpoch: 9 })
  })

  it.each([
    ['an epoch that falls', { policyEpoch: 6 }, 'policyEpoch may not fall'],
    ['another tenant', { tenantId: 'other' }, 'tenantId may not change'],
    ['another workspace', { workspaceId: 'other' }, 'workspaceId may not change'],
    ['both forms of signature', { signatures: [list()] }, 'set signature or signatures, not both'],
    ['an empty list', { signature: null, signatures: [] }, 'should have at least 1 items'],
    ['a key id of another form', { signature: null, signatures: [list('x')] }, 'keyId'],
    ['an epoch that no double holds', { policyEpoch: 2 ** 53 + 2 }, 'policyEpoch'],
    ['no epoch', { policyEpoch: null }, 'policyEpoch: Required'],
    ['a hash of another form', { policyHash: 'sha256:AA' }, 'policyHash'],
    ['a path for a name', { bundleRef: { name: '../x' } }, 'bundleRef.name'],
    ['another kind', { bundleRef: { kind: 'Pod' } }, 'Unsupported value: "Pod"'],
  ])('has its CRD refuse %s', async (_what, change, message) => {
    await apply('one', policy(7).spec)
    const { status, json } = await cluster.call('PATCH', bundles('one'), { spec: change })
    expect([status, (json as { message: string }).message]).toEqual([
      422,
      expect.stringContaining(message),
    ])
  })

  it('has its CRD refuse the reserved scope, and take a higher epoch and a list of signatures', async () => {
    const reserved = { ...policy(1).spec, tenantId: 'helm', workspaceId: 'system' }
    const { status, json } = await apply('reserved', reserved)
    expect(status).toBe(422)
    expect((json as { message: string }).message).toContain('helm/system is reserved')
    await apply('one', policy(7).spec)
    const change = { policyEpoch: 8, signature: null, signatures: [list()] }
    await made('PATCH', bundles('one'), { spec: change })
    const { signatures } = await source.head(scope, open)
    expect(signatures).toEqual([{ keyId: policySigner.keyId, signature: new Uint8Array(64) }])
  })

  it.each([
    ['list', 'policy.helm.ai', 'helmpolicybundles', 'may not list helmpolicybundles in'],
    ['get', '', 'configmaps', 'may not get configmaps "helm-policy" in'],
  ])('names the permission to %s when it is taken away', async (verb, of, resource, message) => {
    await made('POST', core('configmaps'), {
      metadata: { name: 'helm-policy' },
      data: { 'policy.bundle': policy(7).text },
    })
    await apply('one', policy(7).spec)
    const load = async (): Promise<string> =>
      told(source.head(scope, open).then((head) => source.load(scope, head, open)))
    expect(await load()).toBe('none')
    await without(of, resource, verb)
    await vi.waitUntil(async () => (await load()) !== 'none', patient)
    expect(await load()).toMatch(/^SOURCE_UNREACHABLE: the service account /)
    expect(await load()).toContain(message)
  })

  it('goes on without the permissions to watch and to write the status, and says so once', async () => {
    await apply('one', policy(7).spec)
    await without('policy.helm.ai', 'helmpolicybundles', 'watch')
    await without('policy.helm.ai', 'helmpolicybundles/status', 'patch')
    ended.abort()
    ended = new AbortController()
    const denied = async (): Promise<boolean> => {
      source = inPod()
      await source.head(scope, open)
      source.settled(scope, settled())
      return vi
        .waitUntil(() => logged.length === 2, { ...patient, timeout: 2000 })
        .then(
          () => true,
          () => false,
        )
    }
    await vi.waitUntil(denied, patient)
    expect(logged.toSorted()).toEqual([
      expect.stringContaining('may not watch helmpolicybundles in'),
      expect.stringContaining('may not patch helmpolicybundles/status in'),
    ])
    await apply('one', policy(8).spec)
    expect(await source.head(scope, open)).toMatchObject({ policyEpoch: 8 })
  })

  it('takes the token and the CA as they are now', async () => {
    const token = await fs.readFile(join(mount, 'token'), 'utf8')
    await fs.writeFile(join(mount, 'token'), 'expired')
    expect(await told(source.scopes(open))).toMatch(
      /^SOURCE_UNREACHABLE: .*does not accept the service account's token/,
    )
    await fs.writeFile(join(mount, 'token'), token)
    expect(await told(source.scopes(open))).toBe('none')
    await fs.writeFile(join(mount, 'ca.crt'), rootCertificates[0] ?? '')
    expect(await told(source.scopes(open))).toMatch(/^SOURCE_UNREACHABLE: .*certificate/)
    await fs.rm(join(mount, 'ca.crt'))
    expect(await told(source.scopes(open))).toMatch(/^SOURCE_UNREACHABLE: .*ca\.crt cannot be read/)
  })

  it(
    'names no scopes while the API server is away, and begins again when it is back',
    async () => {
      await apply('one', policy(7).spec)
      await vi.waitUntil(() => woken.length === 1, patient)
      await cluster.stopApiServer()
      expect(await told(source.scopes(open))).toMatch(/^SOURCE_UNREACHABLE/)
      expect(await told(source.head(scope, open))).toMatch(/^SOURCE_UNREACHABLE/)
      await cluster.startApiServer()
      await apply('one', policy(8).spec)
      await cluster.compact()
      expect(await source.scopes(open)).toEqual([scope])
      // It resumes from before the restart: 410, so a new listing, and a hint for all.
      await vi.waitUntil(() => woken.length > 1, { ...patient, timeout: 90_000 })
      expect(woken).toEqual(['all', 'all'])
      expect(await source.head(scope, open)).toMatchObject({ policyEpoch: 8 })
    },
    3 * minute,
  )

  it('names no scopes, and withdraws none, when its CRD is gone', async () => {
    await made('DELETE', crd)
    const gone = async (): Promise<boolean> =>
      (await told(source.scopes(open))).includes('that CRD')
    await vi.waitUntil(gone, patient)
    expect(await told(source.head(scope, open))).toMatch(/^SOURCE_UNREACHABLE: .*install that CRD/)
    await vi.waitUntil(async () => (await cluster.call('GET', crd)).status === 404, patient)
    await install()
  })
})

interface Table {
  readonly columnDefinitions: readonly { readonly name: string }[]
  readonly rows: readonly { readonly cells: readonly unknown[] }[]
}

/** An entry of `signatures`. */
function list(keyId: string = policySigner.keyId) {
  return { keyId, signature: '00'.repeat(64) }
}

/** Takes one verb out of the Role. */
async function without(apiGroup: string, resource: string, verb: string): Promise<void> {
  const path = `${rbac}/namespaces/${namespace}/roles/helm-ai-kernel-policy`
  const { json } = await made('GET', path)
  const { rules } = json as { rules: readonly Rule[] }
  const left = rules.map((rule) =>
    rule.apiGroups.includes(apiGroup) && rule.resources.includes(resource)
      ? { ...rule, verbs: rule.verbs.filter((granted) => granted !== verb) }
      : rule,
  )
  await made('PATCH', path, { rules: left.filter(({ verbs }) => verbs.length > 0) })
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}
