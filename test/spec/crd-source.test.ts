import type { Cancel, PolicySource, Scope } from '@helm-ai-kernel/core'
import { isKernelError, scopeKey, scopeOf } from '@helm-ai-kernel/core'
import { crdSource } from '@helm-ai-kernel/kubernetes'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ApiServer, apiServer, type Fields } from '../support/api-server.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'

const fresh = 1000
const prod = scopeOf('acme', 'prod')
const test = scopeOf('acme', 'test')
/** Never aborts. */
const open: Cancel = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}

let server: ApiServer
let clock: FakeClock
let ended: AbortController
let source: PolicySource
/** The scopes of the hints, `all` for one without. */
let woken: string[]
let logged: string[]

beforeEach(async () => {
  server = await apiServer()
  clock = fakeClock()
  ended = new AbortController()
  woken = []
  logged = []
  source = made()
})

afterEach(async () => {
  ended.abort()
  await server.close()
})

function made(): PolicySource {
  const write = (message: string, fields: Fields = {}): void =>
    void logged.push([message, fields['reason']].join(': '))
  return crdSource({
    cluster: { url: server.url, namespace: 'policies', credentials: async () => ({}) },
    fresh,
    clock,
    log: { debug: write, info: write, warn: write, error: write },
    wake: (scope) => void woken.push(scope === undefined ? 'all' : scopeKey(scope)),
    ended: ended.signal,
  })
}

const hash = (digit: string): string => `sha256:${digit.repeat(64)}`

function spec(more: Fields = {}): Fields {
  return {
    tenantId: 'acme',
    workspaceId: 'prod',
    policyEpoch: 7,
    policyHash: hash('a'),
    bundleRef: { kind: 'ConfigMap', name: 'policy', key: 'policy.bundle' },
    ...more,
  }
}

const elsewhere = { workspaceId: 'test' }

/** Waits until it holds; nothing that is waited for takes time of the fake clock. */
async function until(holds: () => boolean): Promise<void> {
  await vi.waitUntil(holds, { timeout: 20_000, interval: 1 })
}

/** Lets time pass until it holds. */
async function soon(holds: () => boolean): Promise<void> {
  await until(() => {
    clock.advance(1000)
    return holds()
  })
}

async function watched(): Promise<void> {
  await source.scopes(open)
  await soon(() => server.watches() === 1)
}

async function fault(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return isKernelError(error) ? `${error.code}: ${error.message}` : String(error)
  }
}

async function load(scope: Scope): Promise<string> {
  const bytes = await source.load(scope, await source.head(scope, open), open)
  return Buffer.from(bytes).toString()
}

const lists = (): number => server.asked.filter((line) => line.includes('limit=')).length
const watches = (): readonly string[] =>
  server.asked
    .filter((line) => line.includes('watch=true'))
    .map((line) => new URL(line.slice(4), server.url).searchParams.get('resourceVersion') ?? '')

describe('heads', () => {
  it('are what the objects of the namespace say, one for each scope', async () => {
    const signature = 'ab'.repeat(64)
    server.apply('one', spec({ signature }))
    server.apply('two', spec({ ...elsewhere, policyEpoch: 1, policyHash: hash('b') }))
    expect(await source.scopes(open)).toEqual([prod, test])
    expect(await source.head(prod, open)).toEqual({
      scope: prod,
      policyEpoch: 7,
      policyHash: hash('a'),
      bundleRef: 'ConfigMap/policies/policy:policy.bundle',
      signatures: [{ keyId: undefined, signature: new Uint8Array(64).fill(0xab) }],
    })
    expect(await source.head(test, open)).toMatchObject({ policyEpoch: 1, signatures: [] })
  })

  it('carry the signatures of several keys', async () => {
    const signature = 'CD'.repeat(64)
    const keyId = 'ed25519:0123456789abcdef'
    server.apply('one', spec({ signatures: [{ keyId, signature }] }))
    const { signatures } = await source.head(prod, open)
    expect(signatures).toEqual([{ keyId, signature: new Uint8Array(64).fill(0xcd) }])
  })

  it.each([
    ['spec.policyEpoch', { policyEpoch: 0 }],
    ['spec.policyEpoch', { policyEpoch: 2 ** 60 }],
    ['spec.policyEpoch', { policyEpoch: '7' }],
    ['spec.policyHash', { policyHash: 'sha256:AA' }],
    ['spec.bundleRef.kind', { bundleRef: null }],
    ['spec.bundleRef.kind', { bundleRef: { kind: 'Pod', name: 'a', key: 'b' } }],
    ['spec.bundleRef.name', { bundleRef: { kind: 'Secret', name: '../secrets/x', key: 'b' } }],
    ['spec.bundleRef.key', { bundleRef: { kind: 'Secret', name: 'a', key: 'b/c' } }],
    ['spec.signature', { signature: 'zz' }],
    ['spec.signature', { signature: null }],
    ['spec.signatures', { signatures: [] }],
    ['spec.signatures', { signatures: [{ keyId: 'x', signature: 'ab'.repeat(64) }] }],
    ['spec.signatures', { signatures: [{ signature: 'ab'.repeat(64), more: 1 }] }],
    ['spec', { signature: 'ab'.repeat(64), signatures: [] }],
  ])('are HEAD_MALFORMED at %s for %j', async (field, wrong) => {
    server.apply('crooked', spec(wrong))
    server.apply('straight', spec(elsewhere))
    const message = await fault(source.head(prod, open))
    expect(message).toMatch(/^HEAD_MALFORMED: HelmPolicyBundle crooked: /)
    expect(message).toContain(`(at ${field})`)
    expect(await source.head(test, open)).toMatchObject({ policyEpoch: 7 })
  })

  it('of a scope with two objects are SCOPE_CONFLICT, for that scope alone', async () => {
    server.apply('one', spec())
    server.apply('two', spec({ policyEpoch: 8 }))
    server.apply('three', spec(elsewhere))
    expect(await fault(source.head(prod, open))).toMatch(
      /^SCOPE_CONFLICT: HelmPolicyBundles one, two are for one scope, acme\/prod/,
    )
    expect(await source.head(test, open)).toMatchObject({ scope: test })
    expect(await source.scopes(open)).toEqual([prod, test])
  })

  it('of a scope without an object are SOURCE_EMPTY', async () => {
    expect(await fault(source.head(prod, open))).toMatch(
      /^SOURCE_EMPTY: no HelmPolicyBundle in namespace policies is for acme\/prod/,
    )
  })
})

describe('a listing', () => {
  it('is read to its end, page by page', async () => {
    server.pages(2)
    for (const n of [1, 2, 3, 4, 5]) server.apply(`p${n}`, spec({ workspaceId: `w${n}` }))
    expect((await source.scopes(open)).map(scopeKey)).toEqual(
      [1, 2, 3, 4, 5].map((n) => `acme/w${n}`),
    )
    expect(lists()).toBe(3)
  })

  it('begins again when a page has expired, and is given up when that does not end', async () => {
    server.pages(1)
    server.apply('one', spec())
    server.apply('two', spec(elsewhere))
    server.expire(2)
    expect(await source.scopes(open)).toHaveLength(2)
    server.expire(100)
    clock.advance(fresh + 1)
    expect(await fault(source.scopes(open))).toMatch(/^SOURCE_UNREACHABLE: .*expires faster/)
  })

  it('is shared by all who ask at one moment, and not by who asks later', async () => {
    server.apply('one', spec())
    await Promise.all(Array.from({ length: 20 }, () => source.head(prod, open)))
    expect(lists()).toBe(1)
    clock.advance(fresh + 1)
    await source.head(prod, open)
    expect(lists()).toBe(2)
  })

  it.each([
    [401, /^SOURCE_UNREACHABLE: .*does not accept the service account's token/],
    [404, /^SOURCE_UNREACHABLE: .*install that CRD/],
    [500, /^SOURCE_UNREACHABLE: the API server answered 500 when asked to list/],
  ])(
    'that is answered with %i names no scopes, also when it did before',
    async (status, message) => {
      server.apply('one', spec())
      expect(await source.scopes(open)).toHaveLength(1)
      clock.advance(fresh + 1)
      server.fail(status)
      expect(await fault(source.scopes(open))).toMatch(message)
      expect(await fault(source.head(prod, open))).toMatch(message)
      server.fail(undefined)
      expect(await source.scopes(open)).toHaveLength(1)
    },
  )

  it('names no scopes while one object does not say for which it is', async () => {
    server.apply('one', spec())
    server.apply('lost', spec({ workspaceId: '' }))
    expect(await fault(source.scopes(open))).toMatch(/^HEAD_MALFORMED: HelmPolicyBundle lost: /)
    expect(await source.head(prod, open)).toMatchObject({ scope: prod })
    server.apply('lost', spec({ tenantId: 'helm', workspaceId: 'system' }))
    clock.advance(fresh + 1)
    expect(await fault(source.scopes(open))).toMatch(/helm\/system is reserved/)
  })

  it('is not waited for longer than the asker may', async () => {
    server.fail('hang')
    const asker = new AbortController()
    const asks = fault(source.scopes(asker.signal))
    await soon(() => lists() === 1)
    asker.abort()
    expect(await asks).toMatch(/^SOURCE_TIMEOUT/)
    expect(await fault(source.scopes(asker.signal))).toMatch(/^SOURCE_TIMEOUT/)
  })

  it('that takes too long is given up', async () => {
    server.fail('hang')
    const asks = fault(source.scopes(open))
    await soon(() => lists() === 1)
    clock.advance(10_000)
    expect(await asks).toMatch(/^SOURCE_TIMEOUT/)
  })
})

describe('polling alone', () => {
  it('finds a change of which no event tells', async () => {
    server.apply('one', spec())
    await watched()
    server.events(false)
    server.apply('one', spec({ policyEpoch: 8 }))
    server.apply('two', spec(elsewhere))
    clock.advance(fresh + 1)
    expect(await source.head(prod, open)).toMatchObject({ policyEpoch: 8 })
    expect(await source.scopes(open)).toEqual([prod, test])
    server.remove('one')
    clock.advance(fresh + 1)
    expect(await source.scopes(open)).toEqual([test])
    expect(woken).toEqual([])
  })

  it('serves where watching is not granted, which is told once', async () => {
    server.grants.delete('watch helmpolicybundles')
    server.apply('one', spec())
    await source.scopes(open)
    await soon(() => watches().length === 3)
    server.apply('one', spec({ policyEpoch: 8 }))
    clock.advance(fresh + 1)
    expect(await source.head(prod, open)).toMatchObject({ policyEpoch: 8 })
    expect(logged).toEqual([
      'HelmPolicyBundles are not watched, polling alone finds a change: the service account may ' +
        'not watch helmpolicybundles in namespace policies (API group policy.helm.ai): ' +
        'grant that verb to it in a Role',
    ])
    server.grants.add('watch helmpolicybundles')
    await soon(() => server.watches() === 1)
    server.bookmark()
    await soon(() => logged.length === 2)
    expect(logged[1]).toMatch(/^HelmPolicyBundles are watched again/)
  })
})

describe('a watch', () => {
  it('makes a hint of each change, after which no older listing counts', async () => {
    server.apply('one', spec())
    await watched()
    server.apply('one', spec({ policyEpoch: 8 }))
    await until(() => woken.length === 1)
    expect(await source.head(prod, open)).toMatchObject({ policyEpoch: 8 })
    server.apply('two', spec(elsewhere))
    await until(() => woken.length === 2)
    expect(await source.scopes(open)).toEqual([prod, test])
    server.remove('one')
    await until(() => woken.length === 3)
    expect(await source.scopes(open)).toEqual([test])
    expect(woken).toEqual(['acme/prod', 'all', 'all'])
  })

  it('makes no hint of a status that was written', async () => {
    server.apply('one', spec())
    await watched()
    await source.head(prod, open)
    source.settled(prod, settled())
    await until(() => server.object('one')?.status !== undefined)
    server.apply('one', spec({ policyEpoch: 8 }))
    await until(() => woken.length === 1)
    expect(woken).toEqual(['acme/prod'])
  })

  it('that breaks goes on where it was, and misses nothing', async () => {
    server.apply('one', spec())
    await watched()
    server.apply('two', spec(elsewhere))
    server.bookmark()
    await until(() => woken.length === 1)
    server.drop()
    await until(() => server.watches() === 0)
    const { metadata } = server.apply('one', spec({ policyEpoch: 8 }))
    await soon(() => woken.length === 2)
    expect(woken).toEqual(['all', 'acme/prod'])
    expect(watches()).toEqual(['101', '102'])
    expect(metadata.resourceVersion).toBe('103')
    expect(lists()).toBe(1)
  })

  it.each(['status', 'event'] as const)(
    'from too long ago (410 as an %s) begins again with a listing and a hint for all',
    async (as) => {
      server.apply('one', spec())
      await watched()
      server.events(false)
      server.apply('one', spec({ policyEpoch: 8 }))
      server.compact(as)
      server.events(true)
      server.drop()
      await soon(() => woken.length > 0 && server.watches() === 1)
      expect(woken).toEqual(['all'])
      expect(await source.head(prod, open)).toMatchObject({ policyEpoch: 8 })
      expect(watches()).toEqual(['101', '101', '102'])
    },
  )

  it.each([
    ['what is no JSON', 'nonsense\n'],
    ['another error', '{"type":"ERROR","object":{"kind":"Status","code":500}}\n'],
    ['an event without a version', '{"type":"ADDED","object":{"metadata":{}}}\n'],
    ['bytes that are no text', '\xff\n'],
    ['an endless line', 'x'.repeat(17 * 1024 * 1024)],
  ])('that tells %s begins again with a listing', async (_what, text) => {
    server.apply('one', spec())
    await watched()
    server.say(text)
    await soon(() => woken.length > 0 && server.watches() === 1)
    expect(woken).toEqual(['all'])
    expect(watches()).toEqual(['101', '101'])
  })

  it('that is silent for too long is made anew', async () => {
    server.apply('one', spec())
    await watched()
    clock.advance(150_000)
    await soon(() => watches().length === 2 && server.watches() === 1)
    expect(lists()).toBe(1)
    expect(logged).toEqual([
      'HelmPolicyBundles are not watched, polling alone finds a change: ' +
        'the watch of HelmPolicyBundles was silent for 150 s',
    ])
  })

  it('ends with the server', async () => {
    await watched()
    ended.abort()
    await until(() => server.watches() === 0)
    const before = watches().length
    for (let i = 0; i < 100; i++) {
      clock.advance(60_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(watches()).toHaveLength(before)
    expect(logged).toEqual([])
  })
})

describe('the bytes', () => {
  const at = (kind: string, key = 'policy.bundle') =>
    spec({ bundleRef: { kind, name: 'policy', key } })

  it('are those of the key, as they are', async () => {
    server.grants.add('get configmaps/policy').add('get secrets/policy')
    const base64 = Buffer.from('{"bytes":1}').toString('base64')
    server.put('configmaps', 'policy', {
      data: { 'policy.bundle': '{"text":"é"}' },
      binaryData: { binary: base64 },
    })
    server.put('secrets', 'policy', { data: { 'policy.bundle': base64 } })
    server.apply('one', at('ConfigMap'))
    expect(await load(prod)).toBe('{"text":"é"}')
    server.apply('one', at('ConfigMap', 'binary'))
    clock.advance(fresh + 1)
    expect(await load(prod)).toBe('{"bytes":1}')
    server.apply('one', at('Secret'))
    clock.advance(fresh + 1)
    expect(await load(prod)).toBe('{"bytes":1}')
  })

  it('that are not there are SOURCE_EMPTY, naming object and key', async () => {
    server.grants.add('get configmaps/policy')
    server.apply('one', at('ConfigMap', 'constructor'))
    const place = 'ConfigMap/policies/policy:constructor'
    expect(await fault(load(prod))).toBe(`SOURCE_EMPTY: there is no ${place}: create it`)
    server.put('configmaps', 'policy', { data: {} })
    expect(await fault(load(prod))).toMatch(`SOURCE_EMPTY: there is no such key in ${place}`)
  })

  it('that may not be read name the permission', async () => {
    server.apply('one', at('Secret'))
    expect(await fault(load(prod))).toBe(
      'SOURCE_UNREACHABLE: the service account may not get secrets "policy" in namespace policies ' +
        '(the core API group): grant that verb to it in a Role',
    )
  })

  it('are those that the head was made of, also when the object changes meanwhile', async () => {
    server.grants.add('get configmaps/policy')
    server.put('configmaps', 'policy', { data: { 'policy.bundle': 'old', next: 'new' } })
    server.apply('one', at('ConfigMap'))
    const head = await source.head(prod, open)
    server.apply('one', at('ConfigMap', 'next'))
    clock.advance(fresh + 1)
    await source.scopes(open)
    expect(Buffer.from(await source.load(prod, head, open)).toString()).toBe('old')
    expect(await load(prod)).toBe('new')
  })
})

type Status = Parameters<PolicySource['settled']>[1]

function settled(more: Partial<Status> = {}): Status {
  return {
    tenant_id: 'acme',
    workspace_id: 'prod',
    reconcile_status: 'ok',
    snapshot_status: 'active',
    provenance: 'signed',
    installed_policy_epoch: 7,
    source: 'crd',
    updated: true,
    last_attempt_at: null,
    last_verified_at: null,
    age_seconds: 0,
    consecutive_failures: 0,
    next_poll_at: null,
    ...more,
  }
}

const refused = settled({
  reconcile_status: 'invalid',
  reason_code: 'SIGNATURE_INVALID',
  reason: 'the signature is of no key that may sign',
})

describe('the status of an object', () => {
  const patches = (): number => server.asked.filter((line) => line.startsWith('PATCH')).length

  async function told(status: Status, times: number): Promise<Fields> {
    const rv = server.object('one')?.metadata.resourceVersion
    source.settled(prod, status)
    await until(() => patches() === times)
    await until(() => server.object('one')?.metadata.resourceVersion !== rv)
    return server.object('one')?.status ?? {}
  }

  it('says what was installed, and later what was not', async () => {
    server.apply('one', spec())
    await source.head(prod, open)
    const good = await told(settled(), 1)
    expect(good).toMatchObject({ observedGeneration: 1, installedPolicyEpoch: 7 })
    expect(good).not.toHaveProperty('reasonCode')
    expect(good['conditions']).toEqual([
      {
        type: 'Ready',
        status: 'True',
        observedGeneration: 1,
        lastTransitionTime: '2026-11-22T06:00:00.000Z',
        reason: 'Installed',
        message: 'the policy is in force',
      },
    ])
    server.apply('one', spec({ policyEpoch: 8 }))
    clock.advance(2000)
    await source.head(prod, open)
    const bad = await told(refused, 2)
    expect(bad).toMatchObject({
      observedGeneration: 2,
      installedPolicyEpoch: 7,
      reasonCode: 'SIGNATURE_INVALID',
      reason: refused.reason,
      conditions: [
        {
          status: 'False',
          lastTransitionTime: '2026-11-22T06:00:02.000Z',
          reason: 'SIGNATURE_INVALID',
          message: refused.reason,
        },
      ],
    })
  })

  it('keeps the moment of the last change of its condition, also over a restart', async () => {
    server.apply('one', spec())
    await source.head(prod, open)
    await told(settled(), 1)
    source = made()
    clock.advance(5000)
    await source.head(prod, open)
    const status = await told(settled({ installed_policy_epoch: 8 }), 2)
    expect(status).toMatchObject({
      installedPolicyEpoch: 8,
      conditions: [{ lastTransitionTime: '2026-11-22T06:00:00.000Z' }],
    })
  })

  it('is not written for its times alone, but once a minute', async () => {
    server.apply('one', spec())
    await source.head(prod, open)
    await told(settled(), 1)
    const later = '2026-11-22T06:00:30.000Z' as NonNullable<Status['last_attempt_at']>
    const again = settled({ last_attempt_at: later })
    clock.advance(30_000)
    source.settled(prod, again)
    await source.head(prod, open)
    expect(patches()).toBe(1)
    clock.advance(30_000)
    expect(await told(again, 2)).toMatchObject({ lastAttemptAt: later })
  })

  it('is written to both objects of a conflict', async () => {
    server.apply('one', spec())
    server.apply('two', spec())
    await fault(source.head(prod, open))
    const reason = 'HelmPolicyBundles one, two are for one scope'
    source.settled(
      prod,
      settled({ reconcile_status: 'source_error', reason_code: 'SCOPE_CONFLICT', reason }),
    )
    await until(() => server.object('one')?.status !== undefined)
    await until(() => server.object('two')?.status !== undefined)
    expect(server.object('two')?.status).toMatchObject({ reasonCode: 'SCOPE_CONFLICT', reason })
  })

  it('is not written on another object that took the name', async () => {
    server.apply('one', spec())
    await source.head(prod, open)
    server.remove('one')
    server.apply('one', spec(elsewhere))
    clock.advance(fresh + 1)
    await source.head(test, open)
    source.settled(prod, refused)
    source.settled(test, settled({ workspace_id: 'test' }))
    await until(() => server.object('one')?.status !== undefined)
    expect(server.object('one')?.status).not.toHaveProperty('reasonCode')
    expect(patches()).toBe(1)
  })

  it('that cannot be written is told once, and stops nothing', async () => {
    server.grants.delete('patch helmpolicybundles/status')
    server.apply('one', spec())
    await source.head(prod, open)
    source.settled(prod, settled())
    await until(() => logged.length > 0)
    source.settled(prod, refused)
    await until(() => patches() === 2)
    await source.head(prod, open)
    expect(logged).toEqual([
      'the status of a HelmPolicyBundle is not written: the service account may not patch ' +
        'helmpolicybundles/status in namespace policies (API group policy.helm.ai): ' +
        'grant that verb to it in a Role',
    ])
    source.settled(test, settled())
  })

  it('comes to be what was told last, however fast it was told', async () => {
    server.apply('one', spec())
    await source.head(prod, open)
    for (let n = 1; n <= 50; n++) source.settled(prod, settled({ installed_policy_epoch: n }))
    await until(() => server.object('one')?.status?.['installedPolicyEpoch'] === 50)
    expect(patches()).toBeLessThan(5)
  })
})
