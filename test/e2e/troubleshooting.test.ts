import fs from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digest, encodeHex, encodeUtf8, signer } from '@helm-ai-kernel/core'
import { encodeSignatures } from '@helm-ai-kernel/core/bundle'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import { nodeCrypto } from '@helm-ai-kernel/host'
import type { Finding } from '@helm-ai-kernel/http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startControlPlane } from '../support/control-plane.ts'
import { policySigner, type SignedBundle, signedBundle } from '../support/kernel.ts'
import { kubelet } from '../support/kubelet.ts'
import { endAll, runBin, start, type Started } from '../support/process.ts'
import { fromControlPlane, secrets } from '../support/server.ts'

// Rows 1 to 4 of the troubleshooting table of the deployment guide: what an operator sees of a kernel
// that runs, and that what they are told to do helps.

type Env = Readonly<Record<string, string>>

const { adminKey, serviceKey, seed } = secrets
const trusted = { HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey) }

let folder: string
let policy: string
let generation = 0

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-trouble-'))
  policy = join(folder, 'policy')
  await fs.mkdir(policy)
})

afterEach(async () => {
  endAll()
  await fs.rm(folder, { recursive: true, force: true })
})

const mounted = (): Env => ({ HELM_POLICY_PATH: policy, HELM_POLICY_POLL_INTERVAL: '100ms' })

interface Server extends Started {
  readonly api: string
  readonly health: string
}

/** Starts `serve` as the chart does, and waits until it listens. */
async function serve(more: Env): Promise<Server> {
  const started = start(['serve'], { cwd: folder, env: environment(more) })
  const { api, health } = await started.line('helm-ai-kernel 0.5.6 is listening')
  return { ...started, api: String(api), health: String(health) }
}

function environment(more: Env): Env {
  return {
    HELM_PORT: '0',
    HELM_HEALTH_PORT: '0',
    HELM_PRODUCTION: 'true',
    HELM_SIGNING_KEY: seed,
    HELM_ADMIN_API_KEY: adminKey,
    HELM_SERVICE_API_KEY: serviceKey,
    HELM_DATA_DIR: join(folder, 'data'),
    ...more,
  }
}

/** What the kubelet does when the ConfigMap has changed. */
async function configMap(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  await kubelet(policy, `..${++generation}`, files)
}

function filesOf({ bytes, signature }: SignedBundle): Readonly<Record<string, Uint8Array>> {
  return { 'policy.bundle': bytes, 'policy.bundle.sig': signature }
}

interface Answer {
  readonly http: number
  readonly text: string
  readonly json: unknown
}

async function call(url: string, key?: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, {
    ...init,
    headers: key === undefined ? headers : { ...headers, authorization: `Bearer ${key}` },
  })
  const text = await response.text()
  return { http: response.status, text, json: JSON.parse(text) as unknown }
}

async function readyz({ health }: Server) {
  const { http, json } = await call(`${health}/readyz`, adminKey)
  const { reasons, warnings } = json as { reasons: Finding[]; warnings: Finding[] }
  return { http, reasons, warnings }
}

function wake({ api }: Server, key?: string): Promise<Answer> {
  return call(`${api}/internal/policy/reconcile`, key, { method: 'POST' })
}

async function decide({ api }: Server, action: string) {
  const body = JSON.stringify({ action, resource: 'x:1' })
  const { json } = await call(`${api}/api/v1/evaluate`, adminKey, { method: 'POST', body })
  return json as { verdict: string; reason_code: string; policy_epoch: number | null }
}

/** `policy status`, as the operator runs it. */
async function policyStatus({ api }: Server) {
  const env = { HELM_URL: api, HELM_API_KEY: adminKey }
  const { code, stdout } = await runBin(['policy', 'status'], { cwd: folder, env })
  const { json } = await call(`${api}/api/v1/policy/status`, adminKey)
  return { code, stdout, status: json as PolicyStatus }
}

/** Waits for what must come; the test's time limit ends it. */
function soon(holds: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(holds, { timeout: 30_000, interval: 50 })
}

describe('row 1: the pod starts but readiness fails', () => {
  const valid = 'rules: [{ id: r, effect: ALLOW, actions: [ticket.read] }]'

  it.each<[string, Readonly<Record<string, string>>, string, string]>([
    ['no policy is mounted', {}, 'SOURCE_EMPTY', 'policy.bundle'],
    [
      'two forms of policy are mounted',
      { 'policy.yaml': valid, 'policy.json': '{}' },
      'SOURCE_AMBIGUOUS',
      'policy.json',
    ],
    [
      'the mounted bytes are no policy',
      { 'policy.yaml': 'rules: [{ id: r, effect: PERMIT, actions: [a] }]' },
      'BUNDLE_MALFORMED',
      'effect',
    ],
    ['the mounted bytes are no YAML', { 'policy.yaml': 'rules: [' }, 'BUNDLE_MALFORMED', 'line'],
  ])('since %s: probe and log say which and what to do', async (_, files, code, says) => {
    await configMap(files)
    const server = await serve(mounted())
    expect((await call(`${server.health}/livez`)).http).toBe(200)
    const line = await server.line('not ready')
    const { http, reasons } = await readyz(server)
    const finding = {
      check: 'policy',
      code,
      detail: expect.stringContaining(says) as unknown,
      fix: expect.stringMatching(/./) as unknown,
    }
    expect([http, reasons]).toEqual([503, [finding]])
    expect(line).toMatchObject({ level: 'warn', reasons: [finding] })
    const anonymous = await call(`${server.health}/readyz`)
    expect([anonymous.http, anonymous.text]).toEqual([503, expect.stringContaining(code)])
    expect(anonymous.text).not.toContain(folder)
    expect(await decide(server, 'ticket.read')).toMatchObject({
      verdict: 'DENY',
      reason_code: 'POLICY_NOT_READY',
    })

    await fs.rm(policy, { recursive: true })
    await fs.mkdir(policy)
    await configMap({ 'policy.yaml': valid })
    await server.line('ready')
    expect((await readyz(server)).http).toBe(200)
    expect(await decide(server, 'ticket.read')).toMatchObject({ verdict: 'ALLOW' })
  })

  it('since no policy path is set: it is named', async () => {
    const server = await serve({})
    await server.line('not ready')
    const { http, reasons } = await readyz(server)
    expect([http, reasons[0]?.code]).toEqual([503, 'SOURCE_EMPTY'])
    expect(reasons[0]?.detail).toContain('HELM_POLICY_PATH')
  })

  it('since the control plane is not there: the boot line has its address, the probe the reason', async () => {
    const plane = await startControlPlane()
    await plane.close()
    const server = await serve(fromControlPlane(plane.url))
    expect(await server.line('helm-ai-kernel')).toMatchObject({
      source: 'controlplane',
      policy_url: plane.url,
    })
    await server.line('not ready')
    const { reasons } = await readyz(server)
    expect(reasons).toMatchObject([
      {
        check: 'policy',
        code: 'SOURCE_UNREACHABLE',
        detail: expect.stringContaining('nothing listens there') as unknown,
      },
    ])
    expect(server.stdout()).not.toContain(secrets.planeToken)
  })

  it('since the health port is taken: the start names it and how to choose another', async () => {
    const busy = createServer()
    await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done))
    const { port } = busy.address() as AddressInfo
    const env = environment({ HELM_HEALTH_PORT: String(port) })
    const { code, stderr } = await runBin(['serve'], { cwd: folder, env })
    busy.close()
    expect(code).toBe(2)
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`)
    expect(stderr).toContain('HELM_HEALTH_PORT')
  })
})

describe('row 2: /internal/policy/reconcile returns unauthorized', () => {
  it('since there is no service key: the answer names what to set, and setting it helps', async () => {
    await configMap(filesOf(signedBundle(1)))
    const without = await serve({ ...mounted(), ...trusted, HELM_SERVICE_API_KEY: '' })
    for (const key of [undefined, adminKey, serviceKey]) {
      const { http, text, json } = await wake(without, key)
      expect([http, json]).toMatchObject([401, { code: 'AUTH_NOT_CONFIGURED' }])
      expect(text).toContain('HELM_SERVICE_API_KEY')
      expect(text).toContain('helm.auth.serviceAPIKey')
      expect(text).toContain('helm.auth.existingSecret')
    }
    without.kill('SIGKILL')
    await without.ended

    const server = await serve({ ...mounted(), ...trusted })
    await server.line('ready')
    for (const [key, status, code] of [
      [undefined, 401, 'AUTH_MISSING'],
      ['helm_another-key', 401, 'AUTH_INVALID'],
      [adminKey, 403, 'AUTH_FORBIDDEN'],
    ] as const) {
      const { http, text, json } = await wake(server, key)
      expect([http, json]).toMatchObject([status, { code }])
      expect(text).toContain('helm.auth.serviceAPIKey')
    }
    const woken = await wake(server, serviceKey)
    expect([woken.http, woken.json]).toMatchObject([200, { installed_policy_epoch: 1 }])
    expect(server.stdout() + without.stdout()).not.toContain(serviceKey)
  })
})

describe('row 3: the ConfigMap changed but decisions did not', () => {
  it('until the next poll, which nobody has to hint at; the status shows hash and epoch', async () => {
    await configMap(filesOf(signedBundle(1)))
    const server = await serve({ ...mounted(), ...trusted })
    await server.line('ready')
    expect(await decide(server, 'refund.list')).toMatchObject({ verdict: 'DENY', policy_epoch: 1 })

    const next = signedBundle(2, [{ id: 'all', effect: 'ALLOW', actions: ['refund.list'] }])
    await configMap(filesOf(next))
    await soon(async () => {
      expect(await decide(server, 'refund.list')).toMatchObject({ verdict: 'ALLOW' })
    })
    const hash = digest(nodeCrypto, next.bytes)
    const { code, stdout, status } = await policyStatus(server)
    expect(status).toMatchObject({ installed_policy_epoch: 2, installed_policy_hash: hash })
    expect([code, stdout]).toEqual([0, expect.stringContaining(`active  epoch 2  ${hash}  signed`)])
  })

  it('since it is refused: the status shows what is installed, what was offered, and why', async () => {
    const first = signedBundle(5)
    await configMap(filesOf(first))
    const server = await serve({ ...mounted(), ...trusted })
    await server.line('ready')

    const older = signedBundle(4, [{ id: 'all', effect: 'ALLOW', actions: ['*'] }])
    await configMap(filesOf(older))
    expect(await server.line('policy not updated')).toMatchObject({
      level: 'error',
      code: 'EPOCH_ROLLBACK',
      policy_epoch: 5,
    })
    const { code, stdout, status } = await policyStatus(server)
    expect(status).toMatchObject({
      reconcile_status: 'invalid',
      reason_code: 'EPOCH_ROLLBACK',
      snapshot_status: 'active',
      installed_policy_epoch: 5,
      installed_policy_hash: digest(nodeCrypto, first.bytes),
      desired_policy_hash: digest(nodeCrypto, older.bytes),
    })
    expect(code).toBe(0)
    expect(stdout).toContain('fail reconcile invalid EPOCH_ROLLBACK: policy_epoch 4 is below 5')
    expect(stdout).toContain(`offered  ${digest(nodeCrypto, older.bytes)}`)
    expect(await decide(server, 'refund.list')).toMatchObject({ verdict: 'DENY', policy_epoch: 5 })
  })
})

describe('row 4: policy reconcile fails with a signature error', () => {
  const required = { HELM_POLICY_SIGNATURE_REQUIRED: 'true' }
  const stranger = signer(new Uint8Array(32).fill(13))
  const signedBy = (key: typeof stranger, bytes: Uint8Array): Uint8Array =>
    encodeSignatures([{ keyId: undefined, signature: key.sign(bytes) }])
  const good = signedBundle(1)
  const padded = encodeUtf8(`${new TextDecoder().decode(good.bytes)}\n`)

  it.each<[string, Env, Readonly<Record<string, Uint8Array>>, string, string]>([
    [
      'the trust public key is missing',
      required,
      filesOf(good),
      'TRUST_KEY_MISSING',
      'HELM_POLICY_TRUST_PUBLIC_KEY',
    ],
    [
      'the signature is missing',
      { ...required, ...trusted },
      { 'policy.bundle': good.bytes },
      'SIGNATURE_MISSING',
      'sign the bundle, and deliver the signature with it',
    ],
    [
      'the signature is invalid',
      { ...required, ...trusted },
      { 'policy.bundle': good.bytes, 'policy.bundle.sig': signedBy(stranger, good.bytes) },
      'SIGNATURE_INVALID',
      'or correct the trust key',
    ],
    [
      'the signature is not over canonical bytes',
      { ...required, ...trusted },
      { 'policy.bundle': padded, 'policy.bundle.sig': signedBy(policySigner, padded) },
      'NOT_CANONICAL',
      'a trailing newline',
    ],
  ])('since %s: it says what to set or do', async (_, env, files, code, says) => {
    await configMap(files)
    const server = await serve({ ...mounted(), ...env })
    const line = await server.line('policy not installed')
    expect(line).toMatchObject({ level: 'error', code })
    expect(line['reason']).toContain(says)
    const { http, reasons } = await readyz(server)
    expect([http, reasons.map((reason) => reason.code)]).toEqual([503, [code]])
    const woken = await wake(server, serviceKey)
    expect([woken.http, woken.json]).toMatchObject([422, { reason_code: code }])
    expect(woken.text).toContain(says)
    const told = await policyStatus(server)
    expect([told.code, told.stdout]).toEqual([1, expect.stringContaining(says)])

    await configMap(filesOf(good))
    const cured = env === required ? await restart(server, { ...env, ...trusted }) : server
    await cured.line('ready')
    expect(await decide(cured, 'ticket.read')).toMatchObject({ verdict: 'ALLOW' })
  })

  async function restart(server: Server, env: Env): Promise<Server> {
    server.kill('SIGKILL')
    await server.ended
    return serve({ ...mounted(), ...env })
  }
})

describe('a restart', () => {
  async function restarted(deliver: () => Promise<void>, more: Env): Promise<Server> {
    const first = await serve(more)
    await first.line('ready')
    first.kill('SIGKILL')
    await first.ended
    await deliver()
    return serve(more)
  }

  it('with the source down comes up on the policy that was kept', async () => {
    const plane = await startControlPlane()
    plane.requireToken(secrets.planeToken)
    plane.publish(signedBundle(3))
    const server = await restarted(() => plane.close(), fromControlPlane(plane.url))
    expect(await server.line('policy resumed')).toMatchObject({ policy_epoch: 3 })
    await server.line('ready')
    expect(await decide(server, 'ticket.read')).toMatchObject({ verdict: 'ALLOW', policy_epoch: 3 })
    const { http, warnings } = await readyz(server)
    expect([http, warnings.map(({ code }) => code)]).toEqual([
      200,
      expect.arrayContaining(['SOURCE_UNREACHABLE']),
    ])
    expect((await policyStatus(server)).status).toMatchObject({
      reason_code: 'SOURCE_UNREACHABLE',
      snapshot_status: 'active',
      installed_policy_epoch: 3,
    })
  })

  it('with an older bundle at the source stays on the policy that was kept', async () => {
    await configMap(filesOf(signedBundle(3)))
    const deliver = (): Promise<void> =>
      configMap(filesOf(signedBundle(2, [{ id: 'all', effect: 'ALLOW', actions: ['*'] }])))
    const server = await restarted(deliver, { ...mounted(), ...trusted })
    expect(await server.line('policy not updated')).toMatchObject({
      code: 'EPOCH_ROLLBACK',
      policy_epoch: 3,
    })
    expect(await decide(server, 'unheard.of')).toMatchObject({ verdict: 'DENY', policy_epoch: 3 })
    const woken = await wake(server, serviceKey)
    expect([woken.http, woken.json]).toMatchObject([422, { reason_code: 'EPOCH_ROLLBACK' }])
  })

  it('with an older bundle and the kept one deleted does not start on the older one', async () => {
    await configMap(filesOf(signedBundle(3)))
    const deliver = async (): Promise<void> => {
      await fs.rm(join(folder, 'data/policy'), { recursive: true })
      await configMap(filesOf(signedBundle(2)))
    }
    const server = await restarted(deliver, { ...mounted(), ...trusted })
    expect(await server.line('policy not installed')).toMatchObject({ code: 'EPOCH_ROLLBACK' })
    expect(await decide(server, 'ticket.read')).toMatchObject({ reason_code: 'POLICY_NOT_READY' })
  })
})

describe('two kernels on one data directory', () => {
  it('are one too many: the second says who has it, and the first goes on', async () => {
    await configMap(filesOf(signedBundle(1)))
    const first = await serve({ ...mounted(), ...trusted })
    await first.line('ready')
    const second = await runBin(['serve'], { cwd: folder, env: environment(mounted()) })
    expect(second.code).toBe(2)
    expect(second.stderr).toContain('LEDGER_LOCKED')
    expect(second.stderr).toContain(`process ${first.pid}`)
    expect(await decide(first, 'ticket.read')).toMatchObject({ verdict: 'ALLOW', policy_epoch: 1 })
  })
})
