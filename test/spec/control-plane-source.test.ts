import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Cancel,
  digest,
  nobleCrypto as crypto,
  type PolicySource,
  scopeOf,
} from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../packages/host/src/configuration/index.ts'
import {
  controlPlane,
  type ControlPlaneOptions,
} from '../../packages/host/src/source/control-plane.ts'
import { credentialOf } from '../../packages/host/src/source/credential.ts'
import { hostSources, type SourceContext } from '../../packages/host/src/source/sources.ts'
import { type Certificate, makeCertificate } from '../support/certificate.ts'
import { startControlPlane, type TestControlPlane } from '../support/control-plane.ts'
import { signedBundle } from '../support/kernel.ts'
import { body, hang, honest, reset, status } from '../support/misbehaviour.ts'
import { scope } from '../support/policy.ts'

const cancel: Cancel = new AbortController().signal
const acme = scopeOf('acme', 'prod')
const other = scopeOf('other', 'prod')

let plane: TestControlPlane
let folder: string

beforeEach(async () => {
  plane = await startControlPlane()
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-control-plane-'))
})

afterEach(async () => {
  await plane.close()
  await fs.rm(folder, { recursive: true, force: true })
})

function source(more: Partial<ControlPlaneOptions> = {}): PolicySource {
  const credential = credentialOf(configurationOf({ HELM_POLICY_CONTROLPLANE_AUTH_MODE: 'none' }))
  return controlPlane({ url: plane.url, scopes: [scope], credential, ...more })
}

function configurationOf(environment: Record<string, string>) {
  const sources = ['mountedFile', 'controlplane']
  return parseConfiguration({ environment, sources }).configuration
}

/** As the server makes it from its settings. */
function configured(environment: Record<string, string>): PolicySource {
  const configuration = configurationOf({
    HELM_POLICY_SOURCE_KIND: 'controlplane',
    HELM_POLICY_CONTROLPLANE_URL: plane.url,
    ...environment,
  })
  const made = hostSources['controlplane']?.({ configuration, scope } as SourceContext)
  if (made === undefined) throw new Error('no source was made')
  return made
}

function ended(reconcileStatus: PolicyStatus['reconcile_status']): PolicyStatus {
  return { reconcile_status: reconcileStatus } as PolicyStatus
}

function sent(name: string): readonly (string | undefined)[] {
  return plane.received.map(({ headers }) => headers[name] as string | undefined)
}

describe('the control plane source', () => {
  it('asks for a head and for its bundle, and gives both as they came', async () => {
    const bundle = signedBundle(7)
    plane.publish(bundle, { new_member: 'of a later version' })
    const asking = source()
    const head = await asking.head(scope, cancel)
    expect(head).toMatchObject({
      scope,
      policyEpoch: 7,
      policyHash: digest(crypto, bundle.bytes),
      bundleRef: 'bundle 7',
      signatures: [{ keyId: undefined }],
    })
    expect(await asking.load(scope, head, cancel)).toEqual(bundle.bytes)
    expect(plane.received.map(({ path, query }) => [path, query])).toEqual([
      ['/api/v1/policy/head', { tenant_id: 'default', workspace_id: 'default' }],
      [
        '/api/v1/policy/bundle',
        { policy_epoch: '7', tenant_id: 'default', workspace_id: 'default' },
      ],
    ])
    expect(sent('accept-encoding')).toEqual(['identity', 'identity'])
    expect(sent('authorization')).toEqual([undefined, undefined])
  })

  it('keeps the path of its base URL, with or without a slash at the end', async () => {
    const under = await startControlPlane({ base: '/helm/eu' })
    try {
      under.publish(signedBundle())
      for (const url of [under.url, `${under.url}/`]) {
        expect(await source({ url }).head(scope, cancel)).toMatchObject({ policyEpoch: 1 })
      }
      expect(under.received.map(({ path }) => path)).toEqual([
        '/helm/eu/api/v1/policy/head',
        '/helm/eu/api/v1/policy/head',
      ])
    } finally {
      await under.close()
    }
  })

  it('judges nothing: a head of another scope, of an old epoch or with another hash is passed on', async () => {
    plane.publish(signedBundle(2), {
      scope: { tenant_id: 'acme', workspace_id: 'prod' },
      policy_epoch: 1,
      policy_hash: `sha256:${'0'.repeat(64)}`,
    })
    plane.on('bundle', body('not the bundle'))
    const head = await source().head(scope, cancel)
    expect(head).toMatchObject({ scope: acme, policyEpoch: 1 })
    const bytes = await source().load(scope, head, cancel)
    expect(new TextDecoder().decode(bytes)).toBe('not the bundle')
  })

  it('uses one connection again and again', async () => {
    plane.publish(signedBundle())
    const asking = source()
    for (let i = 0; i < 20; i++) await asking.head(scope, cancel)
    expect(plane.sockets()).toBe(1)
  })

  it('asks once more when a connection that it kept was closed meanwhile', async () => {
    plane.publish(signedBundle())
    const asking = source()
    await asking.head(scope, cancel)
    let resets = 0
    plane.on('head', (exchange) => (resets++ === 0 ? reset : honest)(exchange))
    expect(await asking.head(scope, cancel)).toMatchObject({ policyEpoch: 1 })
    expect(plane.fetches(scope)).toBe(3)
  })

  it('is not there without a URL', () => {
    const configuration = configurationOf({})
    expect(hostSources['controlplane']?.({ configuration, scope } as SourceContext)).toBe(undefined)
  })
})

describe('entity tags', () => {
  beforeEach(() => {
    plane.publish(signedBundle(1))
    plane.tagHeads()
  })

  it.each(['ok', 'no_change'] as const)('are remembered after %s, for that scope', async (end) => {
    const asking = source()
    const head = await asking.head(scope, cancel)
    asking.settled(scope, ended(end))
    expect(await asking.head(scope, cancel)).toEqual(head)
    asking.settled(scope, ended('no_change'))
    expect(await asking.head(scope, cancel)).toEqual(head)
    await expect(asking.head(acme, cancel)).rejects.toMatchObject({ code: 'SOURCE_EMPTY' })
    const [first, second, third, foreign] = sent('if-none-match')
    expect(first).toBeUndefined()
    expect(second).toMatch(/^"sha256:/)
    expect(third).toBe(second)
    expect(foreign).toBeUndefined()
  })

  it.each(['invalid', 'source_error', 'compile_error', 'validate_error'] as const)(
    'are not remembered after %s, and then the older one is forgotten too',
    async (end) => {
      const asking = source()
      await asking.head(scope, cancel)
      asking.settled(scope, ended('ok'))
      plane.publish(signedBundle(2))
      expect(await asking.head(scope, cancel)).toMatchObject({ policyEpoch: 2 })
      asking.settled(scope, ended(end))
      await asking.head(scope, cancel)
      expect(sent('if-none-match').at(-1)).toBeUndefined()
    },
  )

  it('are not remembered before the attempt has ended', async () => {
    const asking = source()
    await asking.head(scope, cancel)
    await asking.head(scope, cancel)
    expect(sent('if-none-match')).toEqual([undefined, undefined])
  })

  it('belong to the newest head: one without a tag leaves none', async () => {
    const asking = source()
    await asking.head(scope, cancel)
    asking.settled(scope, ended('ok'))
    plane.on('head', ({ answer, ...rest }) =>
      honest({ ...rest, answer: { ...answer, headers: {} } }),
    )
    plane.publish(signedBundle(2))
    await asking.head(scope, cancel)
    asking.settled(scope, ended('ok'))
    await asking.head(scope, cancel)
    expect(sent('if-none-match').at(-1)).toBeUndefined()
  })

  it.each(['no quotes', '"two" "of them"', `"${'x'.repeat(300)}"`])(
    'that are none (%s) are not sent back',
    async (etag) => {
      plane.on('head', ({ answer, ...rest }) =>
        honest({ ...rest, answer: { ...answer, headers: { etag } } }),
      )
      const asking = source()
      await asking.head(scope, cancel)
      asking.settled(scope, ended('ok'))
      await asking.head(scope, cancel)
      expect(sent('if-none-match')).toEqual([undefined, undefined])
    },
  )
})

describe('the listing of scopes', () => {
  it.each([404, 405, 501])('that is answered with %i is not offered', async (code) => {
    plane.on('scopes', status(code))
    expect(await source({ scopes: [scope, acme, scope] }).scopes(cancel)).toEqual([scope, acme])
  })

  it.each([
    ['an object', '{"scopes":[{"tenant_id":"acme","workspace_id":"prod","since":1}],"total":1}'],
    ['a bare list', '[{"workspace_id":"prod","tenant_id":"acme"}]'],
    ['a scope twice', JSON.stringify(Array(2).fill({ tenant_id: 'acme', workspace_id: 'prod' }))],
    [
      'a last page',
      '{"scopes":[{"tenant_id":"acme","workspace_id":"prod"}],"has_more":false,"next_cursor":null}',
    ],
  ])('may be %s', async (_form, text) => {
    plane.on('scopes', body(text, { 'content-type': 'text/plain' }))
    expect(await source({ scopes: [] }).scopes(cancel)).toEqual([acme])
  })

  it('adds to what is configured, and takes away what it once held', async () => {
    const asking = source({ scopes: [scope, acme] })
    plane.list([acme, other])
    expect(await asking.scopes(cancel)).toEqual([acme, other, scope])
    plane.list([other])
    expect(await asking.scopes(cancel)).toEqual([other, scope])
    plane.list([])
    expect(await asking.scopes(cancel)).toEqual([scope])
    plane.list([acme])
    expect(await asking.scopes(cancel)).toEqual([acme, scope])
  })

  it('takes nothing away when it fails, or is offered no more', async () => {
    const asking = source({ scopes: [scope, acme] })
    plane.list([acme, other])
    await asking.scopes(cancel)
    for (const manner of [status(500), status(404), body('{')]) {
      plane.on('scopes', manner)
      await expect(asking.scopes(cancel)).rejects.toMatchObject({ name: 'KernelError' })
    }
    plane.on('scopes', undefined)
    expect(await asking.scopes(cancel)).toEqual([acme, other, scope])
  })

  it('forgets the head of a scope that left it', async () => {
    plane.tagHeads()
    plane.publish(signedBundle())
    plane.list([scope])
    const asking = source()
    await asking.scopes(cancel)
    await asking.head(scope, cancel)
    asking.settled(scope, ended('ok'))
    plane.list([])
    expect(await asking.scopes(cancel)).toEqual([])
    await asking.head(scope, cancel)
    expect(sent('if-none-match').at(-1)).toBeUndefined()
  })

  it('may hang without keeping a head away', async () => {
    plane.publish(signedBundle())
    plane.on('scopes', hang)
    const over = new AbortController()
    const asking = source()
    const listing = asking.scopes(over.signal)
    expect(await asking.head(scope, cancel)).toMatchObject({ policyEpoch: 1 })
    over.abort()
    await expect(listing).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' })
  })
})

describe('the credential', () => {
  it('is the token in a file, read again for each request, by default', async () => {
    const path = join(folder, 'token')
    plane.publish(signedBundle())
    const asking = configured({ HELM_POLICY_CONTROLPLANE_TOKEN_FILE: path })
    for (const token of ['first.jwt', 'second.jwt\n', 'third.jwt\r\n']) {
      await fs.writeFile(path, token)
      const head = await asking.head(scope, cancel)
      await asking.load(scope, head, cancel)
    }
    await asking.scopes(cancel)
    expect(sent('authorization')).toEqual([
      ...['Bearer first.jwt', 'Bearer first.jwt', 'Bearer second.jwt', 'Bearer second.jwt'],
      ...['Bearer third.jwt', 'Bearer third.jwt', 'Bearer third.jwt'],
    ])
  })

  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['has two lines', 'one\ntwo\n'],
    ['has a space', 'one two'],
    ['is longer than a token', 'x'.repeat(20_000)],
    ['is not text', 'a\u0000b'],
  ])('is not guessed: a token file that %s is a clear error', async (_what, text) => {
    const path = join(folder, 'token')
    if (text !== undefined) await fs.writeFile(path, text)
    const asking = configured({ HELM_POLICY_CONTROLPLANE_TOKEN_FILE: path })
    const work = asking.head(scope, cancel)
    await expect(work).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    await expect(work).rejects.toThrow('HELM_POLICY_CONTROLPLANE_TOKEN_FILE')
    if (text !== undefined && text !== '') await expect(work).rejects.not.toThrow(text)
    expect(plane.received).toEqual([])
  })

  it('is the bearer token, or nothing, when the mode says so', async () => {
    plane.publish(signedBundle())
    plane.requireToken('s3cret')
    const bearer = configured({
      HELM_POLICY_CONTROLPLANE_AUTH_MODE: 'bearerToken',
      HELM_POLICY_BEARER_TOKEN: 's3cret',
    })
    expect(await bearer.head(scope, cancel)).toMatchObject({ policyEpoch: 1 })
    const none = configured({ HELM_POLICY_CONTROLPLANE_AUTH_MODE: 'none' })
    await expect(none.head(scope, cancel)).rejects.toThrow('HELM_POLICY_CONTROLPLANE_AUTH_MODE')
    expect(sent('authorization')).toEqual(['Bearer s3cret', undefined])
  })

  it.each([401, 403])(
    'that is refused with %i is named by its setting, not shown',
    async (code) => {
      plane.publish(signedBundle())
      for (const route of ['head', 'bundle', 'scopes'] as const) plane.on(route, status(code))
      await fs.writeFile(join(folder, 'token'), 'the.file.token')
      const asking = [
        configured({
          HELM_POLICY_CONTROLPLANE_AUTH_MODE: 'bearerToken',
          HELM_POLICY_BEARER_TOKEN: 'the-bearer-token',
        }),
        configured({ HELM_POLICY_CONTROLPLANE_TOKEN_FILE: join(folder, 'token') }),
      ]
      const messages = await Promise.all(
        asking.map((one) => one.scopes(cancel).then(() => '', String)),
      )
      expect(messages[0]).toContain('look at HELM_POLICY_BEARER_TOKEN')
      expect(messages[1]).toContain('look at HELM_POLICY_CONTROLPLANE_TOKEN_FILE')
      expect(messages.join()).not.toMatch(/the-bearer-token|the\.file\.token/)
    },
  )
})

describe('over TLS', () => {
  const own = makeCertificate('IP:127.0.0.1', 'DNS:localhost')
  const foreign = makeCertificate('IP:127.0.0.1')
  const misnamed = makeCertificate('DNS:elsewhere.example')

  async function over(
    tls: Certificate | undefined,
    ca: string | undefined,
    check: (asking: PolicySource, secure: TestControlPlane) => Promise<void>,
  ): Promise<void> {
    if (tls === undefined) throw new Error('no certificate')
    const secure = await startControlPlane({ tls })
    try {
      secure.publish(signedBundle())
      await check(source({ url: secure.url, ca }), secure)
    } finally {
      await secure.close()
    }
  }

  it.skipIf(own === undefined)(
    'takes a control plane of its own CA, on one connection',
    async () => {
      await over(own, own?.cert, async (asking, secure) => {
        for (let i = 0; i < 3; i++) await asking.head(scope, cancel)
        expect(secure.sockets()).toBe(1)
      })
    },
  )

  it.skipIf(own === undefined)(
    'refuses any other, and says which setting is for that',
    async () => {
      for (const ca of [undefined, foreign?.cert]) {
        await over(own, ca, async (asking, secure) => {
          await expect(asking.head(scope, cancel)).rejects.toMatchObject({
            code: 'SOURCE_UNREACHABLE',
            message: expect.stringContaining('HELM_POLICY_CONTROLPLANE_CA_FILE') as string,
          })
          expect(secure.received).toEqual([])
        })
      }
    },
  )

  it.skipIf(own === undefined)(
    'checks certificates also where the environment says not to',
    async () => {
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
      try {
        await over(own, undefined, async (asking) => {
          await expect(asking.head(scope, cancel)).rejects.toThrow('no CA that is trusted here')
        })
      } finally {
        delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      }
    },
  )

  it.skipIf(own === undefined)('refuses a certificate for another name', async () => {
    await over(misnamed, misnamed?.cert, async (asking) => {
      await expect(asking.head(scope, cancel)).rejects.toThrow('for other names')
    })
  })

  it('says so when the other side does not speak TLS', async () => {
    const asking = source({ url: plane.url.replace('http:', 'https:') })
    await expect(asking.head(scope, cancel)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('does not speak TLS') as string,
    })
  })

  it.skipIf(own === undefined)(
    'reads its CAs at the start, and stops there when there are none',
    async () => {
      const path = join(folder, 'ca.pem')
      const make = () => configured({ HELM_POLICY_CONTROLPLANE_CA_FILE: path })
      expect(make).toThrow('HELM_POLICY_CONTROLPLANE_CA_FILE cannot be read')
      await fs.writeFile(path, own?.key ?? '')
      expect(make).toThrow('has no certificate')
      await fs.writeFile(path, (own?.cert ?? '').replace(/M/g, 'N'))
      expect(make).toThrow('is damaged')
      await fs.writeFile(path, `# two of them\n${own?.cert}${foreign?.cert}`)
      expect(make).not.toThrow()
    },
  )
})
