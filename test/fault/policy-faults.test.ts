import fs from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { encodeHex, type PolicyCode, timestamp } from '@helm-ai-kernel/core'
import type { Runtime, SourceFactory } from '@helm-ai-kernel/host'
import { describe, expect, it, vi } from 'vitest'
import { nodeRuntime } from '../../adapters/node/src/runtime.ts'
import { hostSources } from '../../packages/host/src/source/sources.ts'
import { type Route, startControlPlane, type TestControlPlane } from '../support/control-plane.ts'
import { policySigner, signedBundle } from '../support/kernel.ts'
import { kubelet } from '../support/kubelet.ts'
import {
  body,
  drip,
  flap,
  flood,
  gzipBomb,
  hang,
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
import {
  type Decided,
  fromControlPlane,
  secrets,
  startServer,
  temporaryFolder,
  type TestServer,
} from '../support/server.ts'

// What a control plane that is broken, slow or bent on harm does to a whole server: nothing to what is
// installed, until that is too old or has expired; then nothing is allowed, whatever the source does.

const maxAge = 3_000
const mib = 1024 * 1024

interface Governed {
  readonly plane: TestControlPlane
  readonly server: TestServer
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** Runs `work` on a server that has the bundle installed from a control plane of its own. */
async function governed(
  bundle: ReturnType<typeof signedBundle>,
  more: Readonly<Record<string, string>>,
  work: (made: Governed) => Promise<void>,
  runtime: Runtime = nodeRuntime,
): Promise<void> {
  const folder = await temporaryFolder()
  const plane = await startControlPlane()
  plane.requireToken(secrets.planeToken)
  plane.publish(bundle)
  const env = { ...fromControlPlane(plane.url), ...more }
  const server = await startServer(folder, env, runtime)
  try {
    await work({ plane, server, folder, env })
  } finally {
    await server.close()
    await plane.close()
    await fs.rm(folder, { recursive: true, force: true })
  }
}

interface Asked extends Decided {
  /** Wall ms before it was sent. */
  readonly sentAt: number
}

/** Asks for decisions, one after the other, until `over` says so of the newest one. */
async function decideUntil(
  server: TestServer,
  over: (asked: Asked) => boolean,
): Promise<readonly Asked[]> {
  const all: Asked[] = []
  for (;;) {
    const sentAt = Date.now()
    const asked = { ...(await server.evaluate()), sentAt }
    all.push(asked)
    if (over(asked)) return all
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const allowed = (asked: readonly Asked[]): readonly Asked[] =>
  asked.filter(({ verdict }) => verdict === 'ALLOW')

const elsewhere = redirect('http://127.0.0.1:9/')
const endless = raw(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)

const faults: readonly (readonly [string, Route, Manner, PolicyCode])[] = [
  ['drips its head', 'head', drip(200), 'SOURCE_TIMEOUT'],
  ['hangs at its head', 'head', hang, 'SOURCE_TIMEOUT'],
  ['hangs at its bundle', 'bundle', hang, 'SOURCE_TIMEOUT'],
  ['stops in its bundle', 'bundle', stall, 'SOURCE_TIMEOUT'],
  ['floods its head', 'head', flood, 'SOURCE_TOO_LARGE'],
  ['floods its bundle', 'bundle', flood, 'SOURCE_TOO_LARGE'],
  ['has endless headers', 'head', endless, 'SOURCE_TOO_LARGE'],
  ['sends a gzip bomb for its head', 'head', gzipBomb, 'SOURCE_UNREACHABLE'],
  ['sends a gzip bomb for its bundle', 'bundle', gzipBomb, 'SOURCE_UNREACHABLE'],
  ['redirects its head', 'head', elsewhere, 'SOURCE_UNREACHABLE'],
  ['fails', 'head', status(500), 'SOURCE_UNREACHABLE'],
  ['refuses the token', 'head', status(401), 'SOURCE_UNREACHABLE'],
  ['has lost the head', 'head', status(404), 'SOURCE_EMPTY'],
  ['has lost the bundle', 'bundle', status(404), 'SOURCE_UNREACHABLE'],
  ['cuts its bundle off', 'bundle', truncated, 'SOURCE_UNREACHABLE'],
  ['closes the connection', 'head', reset, 'SOURCE_UNREACHABLE'],
  ['says 304 to who asked for all', 'head', unmodified, 'HEAD_MALFORMED'],
  ['says nothing', 'head', body(''), 'HEAD_MALFORMED'],
]

describe.concurrent('a control plane that', () => {
  it.each(faults)(
    '%s leaves the policy in force, and lets it age',
    async (_, route, manner, code) => {
      const env = {
        HELM_POLICY_LAST_KNOWN_GOOD_MAX_AGE: `${maxAge}ms`,
        HELM_POLICY_POLL_INTERVAL: '1s',
        HELM_POLICY_ON_INVALID_UPDATE: 'deny',
      }
      await governed(signedBundle(7), env, async ({ plane, server }) => {
        plane.publish(signedBundle(8))
        plane.on(route, manner)
        const deciding = decideUntil(server, ({ verdict }) => verdict === 'DENY')
        const woken = await server.wake()
        expect([woken.http, woken.status.reconcile_status, woken.status.reason_code]).toEqual([
          503,
          'source_error',
          code,
        ])

        const asked = await deciding
        expect(asked.at(-1)?.reason_code).toBe('POLICY_STALE')
        expect(new Set(allowed(asked).map(({ policy_epoch }) => policy_epoch))).toEqual(
          new Set([7]),
        )

        const told = await server.status()
        expect(told).toMatchObject({
          snapshot_status: 'stale',
          stale_in_seconds: 0,
          installed_policy_epoch: 7,
          reason_code: code,
        })
        const tooOld = Date.parse(told.last_verified_at ?? '') + maxAge
        expect(allowed(asked).filter(({ sentAt }) => sentAt > tooOld)).toEqual([])
        const ready = await server.readyz()
        expect([ready.http, ready.reasons[0]?.check, ready.reasons[0]?.code]).toEqual([
          503,
          'policy',
          code,
        ])
        expect(await server.receipts('rejection')).toEqual([])

        plane.on(route, undefined)
        expect((await server.wake()).http).toBe(200)
        expect(await server.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_epoch: 8 })
      })
    },
  )

  it('flaps is good whenever it is good, so that the policy stays fresh', async () => {
    const env = {
      HELM_POLICY_LAST_KNOWN_GOOD_MAX_AGE: `${maxAge}ms`,
      HELM_POLICY_POLL_INTERVAL: '100ms',
    }
    await governed(signedBundle(7), env, async ({ plane, server }) => {
      plane.on('head', flap())
      const since = Date.now()
      const asked = await decideUntil(server, ({ sentAt }) => sentAt > since + 2 * maxAge)
      expect(asked.filter(({ verdict }) => verdict !== 'ALLOW')).toEqual([])
      const counted = await server.metric(
        'helm_policy_reconcile_total{status="source_error",reason_code="SOURCE_UNREACHABLE"}',
      )
      expect(counted).toBeGreaterThan(1)
    })
  })

  it.each([
    ['says the same for ever', false],
    ['says for ever that nothing has changed', true],
  ])('%s cannot keep a bundle beyond its expiry', async (_, isTagging) => {
    const [issued, expires] = [Date.now(), Date.now() + 4_000]
    const times = { issued_at: timestamp(issued), expires_at: timestamp(expires) }
    const env = { HELM_POLICY_POLL_INTERVAL: '100ms' }
    await governed(
      signedBundle(7, undefined, times),
      env,
      async ({ plane, server, folder, env: same }) => {
        if (isTagging) plane.tagHeads()
        const before = await server.status()
        expect(before).toMatchObject({ snapshot_status: 'active', expires_at: times.expires_at })

        const asked = await decideUntil(server, ({ verdict }) => verdict === 'DENY')
        const later = plane.fetches(scope) + 3
        const after = await decideUntil(server, () => plane.fetches(scope) >= later)
        expect(allowed(asked).length).toBeGreaterThan(0)
        expect(allowed(asked).filter(({ sentAt }) => sentAt >= expires)).toEqual([])
        expect(new Set(after.map(({ reason_code }) => reason_code))).toEqual(
          new Set(['POLICY_EXPIRED']),
        )
        expect(await server.status()).toMatchObject({
          snapshot_status: 'expired',
          reason_code: 'BUNDLE_EXPIRED',
          expires_at: times.expires_at,
        })
        expect((await server.readyz()).reasons[0]?.code).toBe('BUNDLE_EXPIRED')

        await server.close()
        const again = await startServer(folder, same)
        expect(await again.evaluate()).toMatchObject({ reason_code: 'POLICY_NOT_READY' })
        await again.close()
      },
    )
  })
})

/** Bytes that are held after garbage collections; what the first one frees outside the heap is late. */
async function held(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Answers honestly, byte by byte so that nobody gives up, and at once what is left when it is let go. */
function holding(): { readonly manner: Manner; release(): void } {
  const waiting: (() => void)[] = []
  return {
    manner({ response, answer }) {
      const bytes = Buffer.from(answer.body)
      let sent = 0
      response.writeHead(answer.status, { 'content-length': bytes.length })
      const timer = setInterval(() => response.write(bytes.subarray(sent, ++sent)), 100)
      waiting.push(() => {
        clearInterval(timer)
        response.end(bytes.subarray(sent))
      })
    },
    release: () => waiting.forEach((letGo) => letGo()),
  }
}

/** The runtime, and how many requests its servers have begun. */
function countingRuntime(): { readonly runtime: Runtime; begun(): number } {
  let count = 0
  const listen: Runtime['listen'] = (app, at) => {
    const fetch = (...given: Parameters<typeof app.fetch>): ReturnType<typeof app.fetch> => {
      count++
      return app.fetch(...given)
    }
    return nodeRuntime.listen({ fetch }, at)
  }
  return { runtime: { ...nodeRuntime, listen }, begun: () => count }
}

/** Sends so many wakes over one connection without waiting; resolves to how often each status came. */
function wakesOver(server: TestServer, count: number): Promise<ReadonlyMap<string, number>> {
  const { hostname, port } = new URL(server.api)
  const head = [
    'POST /internal/policy/reconcile HTTP/1.1',
    `host: ${hostname}`,
    `authorization: Bearer ${secrets.serviceKey}`,
    'content-length: 0',
  ]
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    const statuses = new Map<string, number>()
    let got = 0
    let rest = ''
    socket.setEncoding('latin1').on('data', (piece: string) => {
      const lines = (rest + piece).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const found = /HTTP\/1\.1 (\d+)/.exec(line)?.[1]
        if (found === undefined) continue
        statuses.set(found, (statuses.get(found) ?? 0) + 1)
        got++
      }
      if (got < count) return
      socket.destroy()
      resolve(statuses)
    })
    socket.on('error', reject)
    socket.write(`${head.join('\r\n')}\r\n\r\n`.repeat(count))
  })
}

describe('a server', () => {
  it('asks twice for 10,000 wakes, decides meanwhile, and keeps nothing of them', async () => {
    const { runtime, begun } = countingRuntime()
    const env = { HELM_MAX_IN_FLIGHT: '20000', HELM_POLICY_POLL_INTERVAL: '1h' }
    const work = async ({ plane, server }: Governed): Promise<void> => {
      const wakeAll = async (each: number): Promise<void> => {
        const { manner, release } = holding()
        const [fetches, before] = [plane.fetches(scope), begun()]
        plane.on('head', manner)
        const wakes = Array.from({ length: 20 }, () => wakesOver(server, each))
        let isHeld = true
        const deciding = decideUntil(server, () => !isHeld)
        while (begun() < before + 20 * each) await new Promise((resolve) => setTimeout(resolve, 10))
        await server.evaluate()
        plane.on('head', undefined)
        isHeld = false
        release()
        for (const statuses of await Promise.all(wakes)) {
          expect(statuses).toEqual(new Map([['200', each]]))
        }
        const asked = await deciding
        expect(allowed(asked)).toHaveLength(asked.length)
        expect(plane.fetches(scope) - fetches).toBe(2)
        expect(plane.fetches(scope, 'bundle')).toBe(1)
      }
      await wakeAll(50)
      const before = await held()
      await wakeAll(500)
      const growth = (await held()) - before
      console.log(`held after 10,000 wakes: ${(growth / mib).toFixed(1)} MiB more`)
      expect(growth).toBeLessThan(32 * mib)
    }
    await governed(signedBundle(7), env, work, runtime)
  })

  it('keeps nothing of floods and bombs, and decides meanwhile', async () => {
    await governed(signedBundle(7), {}, async ({ plane, server }) => {
      plane.publish(signedBundle(8))
      const endure = async (): Promise<void> => {
        let isOver = false
        const deciding = decideUntil(server, () => isOver)
        for (const [route, manner] of [
          ['head', flood],
          ['bundle', flood],
          ['head', gzipBomb],
          ['bundle', gzipBomb],
        ] as const) {
          plane.on(route, manner)
          expect((await server.wake()).http).toBe(503)
          plane.on(route, undefined)
        }
        isOver = true
        const asked = await deciding
        expect(allowed(asked)).toHaveLength(asked.length)
        expect(new Set(asked.map(({ policy_epoch }) => policy_epoch))).toEqual(new Set([7]))
      }
      await endure()
      const before = await held()
      for (let i = 0; i < 3; i++) await endure()
      const growth = (await held()) - before
      console.log(`held after floods and bombs: ${(growth / mib).toFixed(1)} MiB more`)
      expect(growth).toBeLessThan(32 * mib)
      expect((await server.wake()).status).toMatchObject({ installed_policy_epoch: 8 })
    })
  })

  it('that asks again still tells what was refused, until it knows better', async () => {
    await governed(signedBundle(7), {}, async ({ plane, server }) => {
      plane.publish(signedBundle(6))
      const refused = await server.wake()
      const offered = { reason_code: 'EPOCH_ROLLBACK', desired_policy_epoch: 6 }
      expect([refused.http, refused.status]).toMatchObject([422, offered])
      plane.on('head', hang)
      const later = plane.fetches(scope) + 1
      const asking = server.wake()
      await vi.waitFor(() => expect(plane.fetches(scope)).toBe(later))
      const meanwhile = await server.status()
      expect((await asking).status).toMatchObject({ reason_code: 'SOURCE_TIMEOUT' })
      expect(meanwhile).toMatchObject(offered)
    })
  })

  it('that has asked nobody yet tells a wake so, and not that there is nobody to ask', async () => {
    let early: Promise<Response> | undefined
    const listen: Runtime['listen'] = (app, at) => {
      const wake = new Request('http://127.0.0.1/internal/policy/reconcile', {
        method: 'POST',
        headers: { authorization: `Bearer ${secrets.serviceKey}` },
      })
      // The first is the API, and its ledger is not open yet.
      early ??= Promise.resolve(app.fetch(wake))
      return nodeRuntime.listen(app, at)
    }
    const work = async (): Promise<void> => {
      const response = await early
      expect([response?.status, await response?.json()]).toMatchObject([
        503,
        { reconcile_status: 'source_error', reason_code: 'POLICY_NOT_READY' },
      ])
    }
    await governed(signedBundle(7), {}, work, { ...nodeRuntime, listen })
  })

  it.each(['keepLastKnownGood', 'deny'])(
    'whose folder changes while it is read installs the change, and suspects nobody, under %s',
    async (mode) => {
      const folder = await temporaryFolder()
      const mounted = join(folder, 'policy')
      await fs.mkdir(mounted)
      const deliver = async (epoch: number): Promise<void> => {
        const { bytes, signature } = signedBundle(epoch)
        await kubelet(mounted, `..${epoch}`, {
          'policy.bundle': bytes,
          'policy.bundle.sig': signature,
        })
      }
      await deliver(7)
      const env = {
        HELM_POLICY_PATH: mounted,
        HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
        HELM_POLICY_POLL_INTERVAL: '1h',
        HELM_POLICY_ON_INVALID_UPDATE: mode,
      }
      let changes: (() => Promise<void>)[] = []
      const mountedFile: SourceFactory = (context) => {
        const source = hostSources['mountedFile']?.(context)
        if (source === undefined) return undefined
        return {
          ...source,
          async head(of, cancel) {
            const head = await source.head(of, cancel)
            await changes.shift()?.()
            return head
          },
        }
      }
      const server = await startServer(join(folder, 'data'), env, {
        ...nodeRuntime,
        sources: { mountedFile },
      })
      await deliver(8)
      changes = [() => deliver(9)]
      await server.wake()
      const asked = await server.evaluate()
      await server.wake()
      const after = await server.evaluate()
      const suspected = await server.metric(
        'helm_policy_hostile_total{reason_code="HASH_MISMATCH"}',
      )
      await server.close()
      await fs.rm(folder, { recursive: true, force: true })
      expect(after).toMatchObject({ verdict: 'ALLOW', policy_epoch: 9 })
      expect([asked.verdict, suspected]).toEqual(['ALLOW', 0])
    },
  )
})
