import fs from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeHex, type Json } from '@helm-ai-kernel/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { policySigner, type SignedBundle, signedBundle } from '../support/kernel.ts'
import { bin, endAll, runBin, start, type Started } from '../support/process.ts'

const adminKey = 'helm_admin-key-of-the-test'
const seed = '42'.repeat(32)
const free = { HELM_PORT: '0', HELM_HEALTH_PORT: '0' }

let folder: string
let policy: string

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-serve-'))
  policy = join(folder, 'policy')
  await fs.mkdir(policy)
})

afterEach(async () => {
  endAll()
  await fs.rm(folder, { recursive: true, force: true })
})

async function deliver({ bytes, signature }: SignedBundle): Promise<void> {
  await fs.writeFile(join(policy, 'policy.bundle.sig'), signature)
  await fs.writeFile(join(policy, 'policy.bundle'), bytes)
}

const production = () => ({
  ...free,
  HELM_PRODUCTION: 'true',
  HELM_SIGNING_KEY: seed,
  HELM_ADMIN_API_KEY: adminKey,
  HELM_DATA_DIR: join(folder, 'data'),
  HELM_POLICY_PATH: policy,
  HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
  HELM_POLICY_SIGNATURE_REQUIRED: 'true',
  HELM_POLICY_POLL_INTERVAL: '100ms',
  HELM_LOG_LEVEL: 'debug',
})

interface Server extends Started {
  readonly api: string
  readonly health: string
}

/** Starts `serve` and waits until it listens. */
async function serve(env: Readonly<Record<string, string>>, args: string[] = []): Promise<Server> {
  const process = start(['serve', ...args], { cwd: folder, env })
  const { api, health } = await process.line('helm-ai-kernel 0.5.6 is listening')
  return { ...process, api: String(api), health: String(health) }
}

async function call(
  { api }: Pick<Server, 'api'>,
  path: string,
  body?: Json,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(api + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
  }
}

async function evaluate(server: Server, action: string, resource = 'x:1') {
  return (await call(server, '/api/v1/evaluate', { action, resource })).body
}

async function readiness({ health }: Server) {
  const response = await fetch(`${health}/readyz`, {
    headers: { authorization: `Bearer ${adminKey}` },
  })
  const body = (await response.json()) as {
    ready: boolean
    reasons: { code: string; detail: string; fix: string }[]
    warnings: { code: string }[]
  }
  return { status: response.status, ...body }
}

/** Every receipt of the scope, oldest first. */
async function receiptsOf(server: Server): Promise<readonly Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = []
  let next = ''
  for (;;) {
    const { body } = await call(server, `/api/v1/receipts?limit=200${next}`)
    all.push(...(body['receipts'] as Record<string, unknown>[]))
    if (body['has_more'] !== true) return all
    next = `&cursor=${encodeURIComponent(String(body['next_cursor']))}`
  }
}

describe('serve', () => {
  it('governs: one of each verdict, receipts that survive kill -9, policy that is resumed', async () => {
    await deliver(signedBundle(3))
    const first = await serve(production())
    await first.line('ready')
    const answers = [
      await evaluate(first, 'ticket.read'),
      await evaluate(first, 'ticket.read', 'secret:1'),
      await evaluate(first, 'refund.create'),
      await evaluate(first, 'unheard.of'),
    ]
    expect(answers.map(({ verdict, reason_code }) => [verdict, reason_code])).toEqual([
      ['ALLOW', 'ALLOWED_BY_RULE'],
      ['DENY', 'DENIED_BY_RULE'],
      ['ESCALATE', 'ESCALATED_BY_RULE'],
      ['DENY', 'NO_MATCHING_RULE'],
    ])
    const before = await receiptsOf(first)
    first.kill('SIGKILL')
    expect(await first.ended).toBe('SIGKILL')

    const second = await serve(production())
    expect(await second.line('policy resumed')).toMatchObject({ policy_epoch: 3 })
    const after = await receiptsOf(second)
    expect(after).toEqual(before)
    expect(after.filter(({ kind }) => kind === 'activation')).toHaveLength(1)
    for (const { receipt_id } of answers) {
      expect(after.map((receipt) => receipt['receipt_id'])).toContain(receipt_id)
    }
    expect((await evaluate(second, 'ticket.read'))['lamport_clock']).toBe(after.length + 1)

    const dataDir = join(folder, 'data')
    const verified = await runBin(['ledger', 'verify', '--data-dir', dataDir], { cwd: folder })
    expect(verified).toMatchObject({ code: 0 })
    expect(`${first.stdout()}${second.stdout()}`).not.toContain(adminKey)
    expect(`${first.stdout()}${second.stdout()}`).not.toContain(seed)
  })

  it('loses no acknowledged receipt to kill -9 under load', async () => {
    await deliver(signedBundle(1))
    const server = await serve(production())
    await server.line('ready')
    const acknowledged: unknown[] = []
    const callers = Array.from({ length: 16 }, async () => {
      for (;;) {
        const answer = await evaluate(server, 'ticket.read').catch(() => undefined)
        if (answer === undefined) return
        acknowledged.push(answer['receipt_id'])
        if (acknowledged.length === 500) server.kill('SIGKILL')
      }
    })
    await Promise.all(callers)
    expect(acknowledged.length).toBeGreaterThanOrEqual(500)
    await server.ended
    const again = await serve(production())
    const kept = new Set((await receiptsOf(again)).map((receipt) => receipt['receipt_id']))
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
    const verified = await runBin(['ledger', 'verify', '--data-dir', join(folder, 'data')], {
      cwd: folder,
    })
    expect(verified).toMatchObject({ code: 0 })
  })

  it('follows its source: a new bundle is installed, a bad one is refused and told', async () => {
    await deliver(signedBundle(1))
    const server = await serve(production())
    await server.line('ready')
    await deliver(signedBundle(2, [{ id: 'all', effect: 'ALLOW', actions: ['*'] }]))
    expect(await evaluateUntil(server, 'unheard.of', 'ALLOW')).toMatchObject({ policy_epoch: 2 })
    await fs.writeFile(join(policy, 'policy.bundle'), signedBundle(3).bytes)
    expect(await server.line('policy not updated')).toMatchObject({ code: 'SIGNATURE_INVALID' })
    const { status, warnings } = await readiness(server)
    expect([status, warnings.map(({ code }) => code)]).toEqual([
      200,
      expect.arrayContaining(['SIGNATURE_INVALID']),
    ])
    expect(await evaluate(server, 'unheard.of')).toMatchObject({
      verdict: 'ALLOW',
      policy_epoch: 2,
    })
    await deliver(signedBundle(1))
    await waitFor(() => server.lines().some(({ code }) => code === 'EPOCH_ROLLBACK'))
  })

  it('takes the authored form unsigned, with a warning, and counts its epochs', async () => {
    await fs.writeFile(
      join(policy, 'policy.yaml'),
      'rules: [{ id: r, effect: ALLOW, actions: [a] }]',
    )
    const env = { ...free, HELM_ADMIN_API_KEY: adminKey, HELM_POLICY_POLL_INTERVAL: '100ms' }
    const server = await serve(env, ['--policy', './policy', '--data-dir', './data'])
    expect(await server.line('helm-ai-kernel')).toMatchObject({ provenance: 'unsigned' })
    await server.line('ready')
    expect(await evaluate(server, 'a')).toMatchObject({ verdict: 'ALLOW', policy_epoch: 1 })
    expect((await readiness(server)).warnings.map(({ code }) => code)).toContain('POLICY_UNSIGNED')
    await fs.writeFile(
      join(policy, 'policy.yaml'),
      'rules: [{ id: r, effect: DENY, actions: [a] }]',
    )
    expect(await evaluateUntil(server, 'a', 'DENY')).toMatchObject({ policy_epoch: 2 })
    server.kill('SIGKILL')
    await server.ended
    const again = await serve(env, ['--policy', './policy', '--data-dir', './data'])
    expect(await again.line('policy resumed')).toMatchObject({ policy_epoch: 2 })
  })

  it('stays up without policy: alive, not ready, denying, saying why and what to do', async () => {
    const server = await serve(production())
    expect((await fetch(`${server.health}/livez`)).status).toBe(200)
    await server.line('not ready')
    const { status, reasons } = await readiness(server)
    expect(status).toBe(503)
    expect(reasons).toMatchObject([{ check: 'policy', code: 'SOURCE_EMPTY' }])
    const anonymous = await (await fetch(`${server.api}/readyz`)).text()
    expect(anonymous).toContain('SOURCE_EMPTY')
    expect(anonymous).not.toContain(folder)
    expect(await evaluate(server, 'a')).toMatchObject({
      verdict: 'DENY',
      reason_code: 'POLICY_NOT_READY',
      receipt_id: expect.stringMatching(/^rcpt-/) as unknown,
    })
    await deliver(signedBundle(1))
    await server.line('ready')
    expect((await readiness(server)).status).toBe(200)
  })

  it('drains at SIGTERM: not ready at once, still serving, finishing what was begun, exit 0', async () => {
    await deliver(signedBundle(1))
    const server = await serve(production())
    await server.line('ready')
    const begun = await beginRequest(server, { action: 'ticket.read', resource: 'x:2' })
    server.kill('SIGTERM')
    await server.line('draining')
    const { status, reasons } = await readiness(server)
    expect([status, reasons[0]?.code]).toEqual([503, 'DRAINING'])
    expect(await evaluate(server, 'ticket.read')).toMatchObject({ verdict: 'ALLOW' })
    while (await accepts(server)) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await begun.finish()).toContain('"verdict":"ALLOW"')
    expect(await server.ended).toBe(0)
    expect(server.lines().at(-1)).toMatchObject({ message: 'stopped' })
  })

  it('ends at once at a second signal', async () => {
    const server = await serve(production())
    await server.line('not ready')
    server.kill('SIGTERM')
    await server.line('draining')
    server.kill('SIGTERM')
    expect(await server.ended).toBe(1)
    expect(server.lines().map(({ message }) => message)).not.toContain('stopped')
  })

  it('stays up with a damaged ledger: denies without a receipt, is not ready, says what to do', async () => {
    await deliver(signedBundle(1))
    const server = await serve(production())
    await server.line('ready')
    await evaluate(server, 'ticket.read')
    server.kill('SIGKILL')
    await server.ended
    await fs.truncate(join(folder, 'data/ledger/wal/0000000000000000'), 100)
    const damaged = await serve(production())
    await damaged.line('not ready')
    const { reasons } = await readiness(damaged)
    expect(reasons[0]?.code).toMatch(/^LEDGER_(TRUNCATED|CORRUPT)$/)
    expect(reasons[0]?.fix).toContain('restore')
    const answer = await evaluate(damaged, 'ticket.read')
    expect(answer).toMatchObject({ verdict: 'DENY', reason_code: reasons[0]?.code })
    expect(answer).not.toHaveProperty('receipt_id')
  })

  it('is not ready in production with another key, and goes on when that is meant', async () => {
    await deliver(signedBundle(1))
    const server = await serve(production())
    const { signing_key } = await server.line('helm-ai-kernel')
    await server.line('ready')
    server.kill('SIGKILL')
    await server.ended
    const changed = { ...production(), HELM_SIGNING_KEY: '43'.repeat(32) }
    const refused = await serve(changed)
    await refused.line('not ready')
    expect((await readiness(refused)).reasons.map(({ code }) => code)).toContain('KEY_CHANGED')
    refused.kill('SIGKILL')
    await refused.ended
    const meant = await serve({ ...changed, HELM_SIGNING_PREVIOUS_KEYS: String(signing_key) })
    await meant.line('ready')
    expect((await call(meant, '/api/v1/keys')).body['keys']).toMatchObject([
      { key_id: signing_key, endorsed: true, first_index: 0 },
      { endorsed: false, last_index: null },
    ])
  })

  it('answers what is no proper request with a problem', async () => {
    const server = await serve(production())
    for (const [request, code] of [
      ['GET /health HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n', 'REQUEST_MALFORMED'],
      [
        'GET /api/v1/receipts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\n' +
          'Authorization: Bearer b\r\n\r\n',
        'REQUEST_MALFORMED',
      ],
      ['GET /health HTTP/1.1\r\n\r\n', 'REQUEST_MALFORMED'],
      ['nonsense\r\n\r\n', 'REQUEST_MALFORMED'],
      [`GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, 'TOO_LARGE'],
    ] as const) {
      const answer = await rawAnswer(server.api, request)
      expect(answer).toMatch(/^HTTP\/1\.1 4/)
      expect(answer).toContain('application/problem+json')
      expect(answer).toContain(`"code":"${code}"`)
    }
  })
})

describe('a start that cannot be', () => {
  it('names every busy port, and how to choose another', async () => {
    const busy = createServer()
    await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done))
    const address = busy.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    const { code, stderr } = await runBin(['serve'], {
      cwd: folder,
      env: { ...production(), HELM_PORT: port },
    })
    busy.close()
    expect(code).toBe(2)
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use by another process`)
    expect(stderr).toContain('--port')
  })

  it('names who has the data directory', async () => {
    const server = await serve(production())
    await server.line('not ready')
    const { code, stderr } = await runBin(['serve'], { cwd: folder, env: production() })
    expect(code).toBe(2)
    expect(stderr).toContain('LEDGER_LOCKED')
    expect(stderr).toContain(`process ${server.pid}`)
  })

  it.each([
    [
      'a missing key in production',
      () => ({ HELM_SIGNING_KEY: '' }),
      ['HELM_PRODUCTION needs a signing key', 'HELM_SIGNING_KEY_FILE'],
    ],
    [
      'a key file that is not there',
      () => ({ HELM_SIGNING_KEY: '', HELM_SIGNING_KEY_FILE: '/nowhere/key' }),
      ['/nowhere/key does not exist', 'keygen'],
    ],
    [
      'a trust key that is the kernel’s own',
      () => ({ HELM_SIGNING_KEY: '09'.repeat(32) }),
      ["is this kernel's own receipt key"],
    ],
    [
      'a data directory that cannot be written',
      () => ({ HELM_DATA_DIR: join(bin, 'data') }),
      ['data directory cannot be used', 'ENOTDIR'],
    ],
    [
      'an API keys file that is not there',
      () => ({ HELM_API_KEYS_FILE: '/nowhere/keys.json' }),
      ['API_KEYS_INVALID', 'HELM_API_KEYS_FILE'],
    ],
    [
      'several bad values at once',
      () => ({ HELM_PORT: 'x', HELM_STORAGE_TYPE: 'postgres' }),
      ['2 settings are wrong', 'HELM_PORT must be', 'needs DATABASE_URL'],
    ],
  ])('says what to correct about %s, and ends with 2', async (_what, change, expected) => {
    const { code, stderr, stdout } = await runBin(['serve'], {
      cwd: folder,
      env: { ...production(), ...change() },
    })
    expect(code).toBe(2)
    for (const text of expected) expect(stderr).toContain(text)
    expect(`${stdout}${stderr}`).not.toContain(seed)
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})

/** Asks until the verdict is this one; the test's time limit ends it. */
async function evaluateUntil(server: Server, action: string, verdict: string) {
  for (;;) {
    const answer = await evaluate(server, action)
    if (answer['verdict'] === verdict) return answer
  }
}

async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Sends all of a request but its last byte. */
async function beginRequest({ api }: Server, body: Json): Promise<{ finish(): Promise<string> }> {
  const { hostname, port } = new URL(api)
  const text = JSON.stringify(body)
  const socket = connect(Number(port), hostname)
  const answer = new Promise<string>((resolve, reject) => {
    let all = ''
    socket.on('data', (piece) => (all += piece.toString()))
    socket.on('close', () => resolve(all))
    socket.on('error', reject)
  })
  const head = [
    'POST /api/v1/evaluate HTTP/1.1',
    `host: ${hostname}`,
    `authorization: Bearer ${adminKey}`,
    'content-type: application/json',
    `content-length: ${text.length}`,
  ]
  await new Promise((done) =>
    socket.write(`${head.join('\r\n')}\r\n\r\n${text.slice(0, -1)}`, done),
  )
  return {
    finish() {
      socket.write(text.slice(-1))
      return answer
    },
  }
}

/** Whether a new connection is taken. */
function accepts({ api }: Server): Promise<boolean> {
  const { hostname, port } = new URL(api)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** What a socket answers to these bytes. */
function rawAnswer(api: string, request: string): Promise<string> {
  const { hostname, port } = new URL(api)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(request))
    socket.setTimeout(2000, () => socket.end())
    socket.on('data', (piece) => {
      text += piece.toString()
      if (text.includes('}')) socket.end()
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}
