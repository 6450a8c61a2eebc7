import { inspect } from 'node:util'
import { type Cancel, KernelError, type PolicySource, scopeOf } from '@helm-ai-kernel/core'
import type { Head } from '@helm-ai-kernel/core/bundle'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  controlPlane,
  type ControlPlaneOptions,
} from '../../packages/host/src/source/control-plane.ts'
import { type Route, startControlPlane, type TestControlPlane } from '../support/control-plane.ts'
import { signedBundle } from '../support/kernel.ts'
import {
  body,
  declaring,
  drip,
  flap,
  flood,
  gzipBomb,
  hang,
  honest,
  type Manner,
  raw,
  redirect,
  reset,
  stall,
  status,
  truncated,
  unmodified,
} from '../support/misbehaviour.ts'
import { scope } from '../support/policy.ts'

// A control plane that is broken or hostile, at the level of the source: each fault has its code, ends
// its connection, and tells nobody the credential. What the reconciler makes of it is tested there.

const never: Cancel = new AbortController().signal
const token = 'a-token-nobody-may-read'
const epoch = 987_654_321
const kib = 1024
const mib = 1024 * kib

/** What the kernel's and the network's buffers may hold beside what was read. */
const slack = 16 * mib

let plane: TestControlPlane
let head: Head

beforeEach(async () => {
  plane = await startControlPlane()
  plane.requireToken(token)
  plane.publish(signedBundle(epoch))
  head = await source().head(scope, never)
})

afterEach(() => plane.close())

function source(more: Partial<ControlPlaneOptions> = {}): PolicySource {
  const credential = {
    headers: async () => ({ authorization: `Bearer ${token}` }),
    remedy: 'look at the token',
  }
  return controlPlane({ url: plane.url, scopes: [scope], credential, idle: 300, ...more })
}

function ask(route: Route, cancel: Cancel = never, asking = source()): Promise<unknown> {
  if (route === 'scopes') return asking.scopes(cancel)
  return route === 'head' ? asking.head(scope, cancel) : asking.load(scope, head, cancel)
}

/** The error with which `work` ends, which must show nothing that is not for everybody. */
async function faultOf(work: Promise<unknown>): Promise<KernelError> {
  const error: unknown = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!(error instanceof KernelError)) throw new Error('no KernelError', { cause: error })
  expect(inspect(error, { depth: 8, showHidden: true })).not.toContain(token)
  expect(error.message).not.toMatch(/tenant_id=|policy_epoch=|987654321|location-secret/)
  return error
}

/** Bytes that the newest request was sent; resolves when its connection is closed. */
async function sentUntilClosed(): Promise<number> {
  return (await plane.received.at(-1)?.closed) ?? NaN
}

const hangsAtTheHead: Manner = raw('HTTP/1.1 200 OK\r\nx-half: ')
const manyHeaders: Manner = raw(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20 * kib)}\r\n\r\n`)
const switching: Manner = raw('HTTP/1.1 101 Switch\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
const elsewhere = 'https://user:location-secret@example.invalid/x?token=location-secret'

const faults: readonly (readonly [string, Manner, string, string])[] = [
  ['never answers', hang, 'SOURCE_TIMEOUT', 'sent nothing for 300 ms'],
  ['stops in its headers', hangsAtTheHead, 'SOURCE_TIMEOUT', 'sent nothing for 300 ms'],
  ['stops in its body', stall, 'SOURCE_TIMEOUT', 'sent nothing for 300 ms'],
  ['changes the protocol', switching, 'SOURCE_TIMEOUT', 'sent nothing for 300 ms'],
  ['sends gzip', gzipBomb, 'SOURCE_UNREACHABLE', 'encoding that was not asked for'],
  ['redirects', redirect(elsewhere), 'SOURCE_UNREACHABLE', 'redirect (302), which is not followed'],
  ['redirects for ever', redirect(elsewhere, 308), 'SOURCE_UNREACHABLE', 'redirect (308)'],
  ['sends endless headers', manyHeaders, 'SOURCE_TOO_LARGE', 'too many headers'],
  ['speaks no HTTP', raw('SSH-2.0-x\r\n\r\n'), 'SOURCE_UNREACHABLE', 'not HTTP'],
  ['closes in the middle', truncated, 'SOURCE_UNREACHABLE', 'before its answer was complete'],
  ['closes at once', reset, 'SOURCE_UNREACHABLE', 'before its answer was complete'],
  ['fails', status(500, 'secret stack'), 'SOURCE_UNREACHABLE', 'answered 500'],
  ['is overloaded', status(429), 'SOURCE_UNREACHABLE', 'answered 429'],
  ['refuses the token', status(401), 'SOURCE_UNREACHABLE', 'look at the token'],
  ['forbids', status(403), 'SOURCE_UNREACHABLE', 'look at the token'],
  ['has no content', status(204), 'SOURCE_UNREACHABLE', 'answered 204'],
  ['has a part', status(206, '{}'), 'SOURCE_UNREACHABLE', 'answered 206'],
]

const routes: readonly Route[] = ['head', 'bundle', 'scopes']
const limits = { head: 64 * kib, bundle: 64 * mib, scopes: mib }

describe.each(routes)('a control plane, asked for its %s,', (route) => {
  beforeEach(() => plane.list([scope]))

  it.each(faults)('that %s', async (_what, manner, code, says) => {
    plane.on(route, manner)
    const fault = await faultOf(ask(route))
    expect([fault.code, fault.message]).toEqual([code, expect.stringContaining(says)])
  })

  it('that drips is cut off when the time is over', async () => {
    plane.on(route, drip(20))
    const work = faultOf(ask(route, AbortSignal.timeout(200), source({ idle: 60_000 })))
    expect((await work).message).toContain('in the time that it has')
    expect((await work).code).toBe('SOURCE_TIMEOUT')
    expect(await sentUntilClosed()).toBeLessThan(slack)
  })

  it('that floods is cut off at the limit', async () => {
    plane.on(route, flood)
    const fault = await faultOf(ask(route))
    expect(fault.code).toBe('SOURCE_TOO_LARGE')
    expect(fault.message).toContain(`more than ${limits[route]} bytes`)
    expect(await sentUntilClosed()).toBeLessThan(limits[route] + slack)
  })

  it('that announces too much is not read at all', async () => {
    plane.on(route, declaring(limits[route] + 1))
    expect((await faultOf(ask(route))).code).toBe('SOURCE_TOO_LARGE')
    expect(await sentUntilClosed()).toBeLessThan(kib)
  })

  it('that floods an error is cut off, and the error is what is told', async () => {
    plane.on(route, (exchange) => flood({ ...exchange, answer: { status: 500, body: '' } }))
    expect((await faultOf(ask(route))).message).toContain('answered 500')
    expect(await sentUntilClosed()).toBeLessThan(slack)
  })

  it('that flaps is good whenever it is good', async () => {
    plane.on(route, flap())
    const asking = source()
    for (let i = 0; i < 3; i++) {
      expect((await faultOf(ask(route, never, asking))).message).toContain('answered 503')
      expect(await ask(route, never, asking)).toBeDefined()
    }
  })

  it('is not asked once the time is over', async () => {
    const before = plane.received.length
    const fault = await faultOf(ask(route, AbortSignal.abort()))
    expect(fault.code).toBe('SOURCE_TIMEOUT')
    expect(plane.received).toHaveLength(before)
  })
})

describe('a connection', () => {
  it.each([
    ['hangs', hang],
    ['stalls', stall],
    ['floods', flood],
    ['redirects', redirect('/api/v1/policy/scopes')],
    ['sends gzip', gzipBomb],
    ['drips for longer than it may', drip(20)],
  ])('that %s is closed, and nothing is asked again', async (_what, manner) => {
    plane.on('head', manner)
    const before = plane.received.length
    await faultOf(ask('head', AbortSignal.timeout(500)))
    await sentUntilClosed()
    expect(plane.received).toHaveLength(before + 1)
  })

  it('to nobody is a clear error', async () => {
    const { url } = plane
    await plane.close()
    const fault = await faultOf(ask('head', never, source({ url })))
    expect(fault.code).toBe('SOURCE_UNREACHABLE')
    expect(fault.message).toContain('nothing listens there')
    plane = await startControlPlane()
  })

  it('that hangs for one scope keeps no other waiting', async () => {
    const slow = scopeOf('slow', 'one')
    plane.on('head', (exchange) =>
      (exchange.request.url?.includes('slow') === true ? hang : honest)(exchange),
    )
    const asking = source({ idle: 60_000 })
    const over = new AbortController()
    const hanging = faultOf(asking.head(slow, over.signal))
    for (let i = 0; i < 10; i++) await asking.head(scope, never)
    over.abort()
    expect((await hanging).code).toBe('SOURCE_TIMEOUT')
  })
})

describe('a head', () => {
  it('that is not there is an empty source', async () => {
    const fault = await faultOf(source().head(scopeOf('acme', 'prod'), never))
    expect(fault.code).toBe('SOURCE_EMPTY')
    expect(fault.message).toContain('acme/prod')
  })

  it('that is not modified was asked about before, or is malformed', async () => {
    plane.on('head', unmodified)
    expect((await faultOf(ask('head'))).code).toBe('HEAD_MALFORMED')
  })

  it.each([
    ['an old one for ever', signedBundle(1)],
    ['a newer one', signedBundle(3)],
  ])('may be %s: that is for the reconciler to judge', async (_what, bundle) => {
    plane.publish(bundle)
    const asking = source()
    const { policyHash } = await asking.head(scope, never)
    expect((await asking.head(scope, never)).policyHash).toBe(policyHash)
  })

  const id = { tenant_id: 'default', workspace_id: 'default' }
  const hash = `sha256:${'a'.repeat(64)}`
  const signature = 'ab'.repeat(64)

  it.each([
    ['no scope', { scope: null }],
    ['half a scope', { scope: { tenant_id: 'default' } }],
    ['a scope that is none', { scope: { ...id, tenant_id: '../x' } }],
    ['a joined scope', { scope: 'default/default' }],
    ['no epoch', { policy_epoch: null }],
    ['epoch 0', { policy_epoch: 0 }],
    ['half an epoch', { policy_epoch: 1.5 }],
    ['an epoch in letters', { policy_epoch: '1' }],
    ['no hash', { policy_hash: null }],
    ['another hash function', { policy_hash: `sha512:${'a'.repeat(64)}` }],
    ['a hash in upper case', { policy_hash: `sha256:${'A'.repeat(64)}` }],
    ['a reference that is a number', { bundle_ref: 1 }],
    ['an endless reference', { bundle_ref: 'x'.repeat(3000) }],
    ['a signature that is a number', { signature: 1 }],
    ['both forms of signature', { signatures: [] }],
  ])('with %s is malformed', async (_what, wrong) => {
    plane.publish(signedBundle(epoch), wrong)
    expect((await faultOf(ask('head'))).code).toBe('HEAD_MALFORMED')
  })

  it.each([
    ['nothing', ''],
    ['a list', '[]'],
    ['a page', '<html>please log in</html>'],
    ['half an object', '{"scope":'],
    ['a member twice', '{"policy_epoch":1,"policy_epoch":2}'],
    ['bytes that are no text', new Uint8Array([0x22, 0xff, 0x22])],
    ['a byte order mark', '\ufeff{}'],
    ['a bottomless pit', '['.repeat(1000)],
  ])('that is %s is malformed', async (_what, bytes) => {
    plane.on('head', body(bytes))
    expect((await faultOf(ask('head'))).code).toBe('HEAD_MALFORMED')
  })

  it('with a signature that is none has no valid signature', async () => {
    plane.publish(signedBundle(epoch), { signature: 'xyz' })
    expect((await faultOf(ask('head'))).code).toBe('SIGNATURE_INVALID')
    const known = { scope: id, policy_epoch: 1, policy_hash: hash }
    for (const signatures of [[], {}, [{ key_id: 'me', signature }], Array(17).fill({})]) {
      plane.on('head', body(JSON.stringify({ ...known, signatures })))
      expect((await faultOf(ask('head'))).code).toBe('SIGNATURE_INVALID')
    }
  })
})

describe('a listing', () => {
  const acme = { tenant_id: 'acme', workspace_id: 'prod' }

  it.each([
    ['nothing', ''],
    ['null', 'null'],
    ['an object without scopes', '{"items":[]}'],
    ['scopes that are no list', '{"scopes":{}}'],
    ['a list of names', '["acme/prod"]'],
    ['half a scope', JSON.stringify([acme, { tenant_id: 'x' }])],
    ['a scope that is none', JSON.stringify([{ ...acme, workspace_id: 'a b' }])],
    ['the reserved scope', JSON.stringify([{ tenant_id: 'helm', workspace_id: 'system' }])],
    ['one page of several', JSON.stringify({ scopes: [acme], has_more: true })],
    ['one page, and where the next is', JSON.stringify({ scopes: [acme], next_cursor: 'x' })],
  ])('that is %s is no listing', async (_what, text) => {
    plane.on('scopes', body(text))
    expect((await faultOf(ask('scopes'))).code).toBe('HEAD_MALFORMED')
  })

  it('may be long, but not longer than 1 MiB', async () => {
    const many = Array.from({ length: 12_000 }, (_, i) => scopeOf(`tenant-${i}`, 'production'))
    plane.list(many)
    expect(await source({ scopes: [] }).scopes(never)).toEqual(many)
    plane.list([...many, ...many])
    expect((await faultOf(ask('scopes'))).code).toBe('SOURCE_TOO_LARGE')
  })
})

describe('bundles on their way', () => {
  it('are bounded over all scopes, and a small one is let through', async () => {
    // Two of 3 MiB come to rest before their end; together they have more than is allowed.
    const asking = source({ idle: 60_000, maxLoading: 4 * mib })
    const large = new Uint8Array(3 * mib)
    plane.on('bundle', (exchange) => stall({ ...exchange, answer: { status: 200, body: large } }))
    const over = new AbortController()
    const both = [1, 2].map(() => faultOf(asking.load(scope, head, over.signal)))
    const first = await Promise.race(both)
    expect([first.code, first.message]).toEqual([
      'SOURCE_TOO_LARGE',
      expect.stringContaining(`more than ${4 * mib} bytes`),
    ])

    plane.on('bundle', body(new Uint8Array(mib)))
    expect(await asking.load(scope, head, never)).toHaveLength(mib)

    over.abort()
    const codes = (await Promise.all(both)).map(({ code }) => code)
    expect(codes.sort()).toEqual(['SOURCE_TIMEOUT', 'SOURCE_TOO_LARGE'])
    plane.on('bundle', body(large))
    expect(await asking.load(scope, head, never)).toHaveLength(large.length)
  })
})
