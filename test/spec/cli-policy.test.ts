import fs from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import type { App } from '@helm-ai-kernel/http'
import { hint } from '../../packages/cli/src/commands/policy-hint.ts'
import { cliBench, serveApp } from '../support/cli.ts'
import { keys, testApp } from '../support/http.ts'
import { kubelet } from '../support/kubelet.ts'
import { policyStatus, stillAuthority } from '../support/policy-status.ts'
import { endAll, start } from '../support/process.ts'

const bench = cliBench()
afterAll(bench.remove)

const acme = policyStatus({ tenant_id: 'acme', workspace_id: 'prod' })
let statuses: readonly PolicyStatus[]
const policy = stillAuthority(() => statuses)
let server: Awaited<ReturnType<typeof serveApp>>

beforeAll(async () => {
  server = await serveApp((await testApp({ policy })).app)
})
afterAll(() => server.close())
beforeEach(() => (statuses = [policyStatus()]))

const reading = () => ({ HELM_URL: server.url, HELM_API_KEY: keys.agent })
const waking = () => ({ HELM_URL: server.url, HELM_SERVICE_API_KEY: keys.service })

const failed = {
  reconcile_status: 'invalid',
  reason_code: 'SIGNATURE_INVALID',
  reason: 'the signature is not by a trusted key: sign again',
  desired_policy_epoch: 8,
  desired_policy_hash: `sha256:${'b'.repeat(64)}`,
  consecutive_failures: 4,
} as Partial<PolicyStatus>

describe('policy status', () => {
  const status = () => bench.run(['policy', 'status'], { env: reading() })

  it('says what is in force, how the newest attempt ended, and when the next is', async () => {
    expect(await status()).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        `ready default/default  active  epoch 7  sha256:${'a'.repeat(64)}  signed  age 12s  stale in 588s`,
        '  pass reconcile no_change',
        '  source  mountedFile  asked 2026-11-22T06:00:00.000Z  failures 0  next poll 2026-11-22T06:00:10.000Z',
        '',
      ].join('\n'),
    })
  })

  it('is exit code 0 while policy is active, also when an update was refused; it says why', async () => {
    statuses = [policyStatus(failed)]
    const { code, stdout } = await status()
    expect(code).toBe(0)
    expect(stdout).toContain('ready default/default  active  epoch 7')
    expect(stdout).toContain(
      '  fail reconcile invalid SIGNATURE_INVALID: the signature is not by a trusted key: sign again\n',
    )
    expect(stdout).toContain(`  offered  epoch 8  sha256:${'b'.repeat(64)}\n`)
  })

  it.each(['stale', 'expired', 'invalid', 'withdrawn', 'no_policy'] as const)(
    'is exit code 1 when policy is %s',
    async (snapshot_status) => {
      statuses = [policyStatus({ snapshot_status })]
      const { code, stdout } = await status()
      expect(code).toBe(1)
      expect(stdout).toMatch(new RegExp(`^fail default/default  ${snapshot_status}`))
    },
  )

  it('shows nothing that is not there', async () => {
    statuses = [
      policyStatus({
        snapshot_status: 'no_policy',
        provenance: null,
        age_seconds: null,
        last_attempt_at: null,
        next_poll_at: null,
      }),
    ]
    const { stdout } = await status()
    expect(stdout).not.toMatch(/null|undefined|NaN|age|next/)
  })

  it('gives the document itself with --json', async () => {
    expect(await bench.json(['policy', 'status'], { env: reading() })).toEqual(policyStatus())
  })

  it('says what the kernel said when it refuses', async () => {
    statuses = [acme]
    const unknown = await status()
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toMatch(/^error NOT_FOUND: /)
    const env = { ...reading(), HELM_API_KEY: 'helm_wrong_5ec2e7' }
    const wrong = await bench.run(['policy', 'status'], { env })
    expect(wrong.stderr).toMatch(/^error AUTH_INVALID: /)
    expect(wrong.stderr).not.toContain('5ec2e7')
  })

  it('says so when the answer is none about policy', async () => {
    const other = await serveApp({ fetch: () => Response.json({ status: 'ok' }) })
    const { code, stderr } = await bench.run(['policy', 'status', '--url', other.url])
    other.close()
    expect(code).toBe(2)
    expect(stderr).toContain('KERNEL_UNREACHABLE')
  })
})

describe('policy reconcile', () => {
  it('wakes every scope and shows how each stands', async () => {
    statuses = [acme, policyStatus()]
    const before = policy.wakes.length
    const { code, stdout } = await bench.run(['policy', 'reconcile'], { env: waking() })
    expect(code).toBe(0)
    expect(policy.wakes.slice(before)).toEqual([undefined])
    expect(stdout).toMatch(/^ready acme\/prod .*\n {2}pass reconcile no_change\n/)
    expect(stdout).toContain('\nready default/default ')
  })

  it('wakes one scope', async () => {
    statuses = [acme, policyStatus()]
    const before = policy.wakes.length
    const args = ['policy', 'reconcile', '--scope', 'acme/prod']
    expect(await bench.json(args, { env: waking() })).toEqual(acme)
    expect(policy.wakes.slice(before)).toEqual([{ tenantId: 'acme', workspaceId: 'prod' }])
  })

  it.each([
    ['ok', 0],
    ['no_change', 0],
    ['source_error', 1],
    ['invalid', 1],
    ['compile_error', 1],
    ['validate_error', 1],
  ] as const)('ends with %s as exit code %i', async (reconcile_status, exit) => {
    statuses = [acme, policyStatus({ reconcile_status })]
    const { code, stdout } = await bench.run(['policy', 'reconcile'], { env: waking() })
    expect(code).toBe(exit)
    expect(stdout).toContain(`  ${exit === 0 ? 'pass' : 'fail'} reconcile ${reconcile_status}`)
  })

  it('takes the key from a file, from HELM_API_KEY, then from HELM_SERVICE_API_KEY', async () => {
    bench.write('service.key', `${keys.service}\n`)
    const run = (env: Record<string, string>, ...flags: readonly string[]) =>
      bench.run(['policy', 'reconcile', '--url', server.url, ...flags], { env })
    expect((await run({}, '--api-key-file', 'service.key')).code).toBe(0)
    expect((await run({ HELM_API_KEY: keys.service })).code).toBe(0)
    const both = await run({ HELM_API_KEY: keys.admin, HELM_SERVICE_API_KEY: keys.service })
    expect(both.code).toBe(2)
    expect(both.stderr).toMatch(/^error AUTH_FORBIDDEN: .*HELM_SERVICE_API_KEY/)
    expect((await run({})).stderr).toMatch(/^error AUTH_MISSING: .*helm\.auth\.serviceAPIKey/)
  })

  it('takes another path from HELM_POLICY_WAKE_PATH, or from the URL', async () => {
    const moved = await serveApp((await testApp({ policy, wakePath: '/internal/wake' })).app)
    const run = (url: string, env: Record<string, string> = {}) =>
      bench.run(['policy', 'reconcile', '--url', url], { env: { ...waking(), ...env } })
    const elsewhere = await run(moved.url)
    expect(elsewhere.stderr).toMatch(/^error NOT_FOUND: .*HELM_INTERNAL_PORT.*--url/)
    const codes = [
      elsewhere.code,
      (await run(moved.url, { HELM_POLICY_WAKE_PATH: '/internal/wake' })).code,
      (await run(`${moved.url}/internal/wake`, { HELM_POLICY_WAKE_PATH: '/internal/x' })).code,
    ]
    moved.close()
    expect(codes).toEqual([2, 0, 0])
  })

  it.each([
    ['--url', 'http://127.0.0.1:1//evil.example/internal/x'],
    ['--url', 'http://127.0.0.1:1/api/v1/evaluate'],
    ['--url', 'http://user:5ec2e7@127.0.0.1:1'],
    ['--url', 'file:///etc/passwd'],
    ['--scope', 'acme'],
    ['--scope', 'acme/prod/x'],
  ])('sends its key nowhere with %s %s', async (flag, value) => {
    const { code, stderr } = await bench.run(['policy', 'reconcile', flag, value], {
      env: waking(),
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error USAGE_INVALID: policy reconcile: /)
    expect(stderr).not.toContain('5ec2e7')
  })

  it('does not let HELM_POLICY_WAKE_PATH name another host', async () => {
    const env = { ...waking(), HELM_POLICY_WAKE_PATH: '//127.0.0.1:1/internal/x' }
    const { stderr } = await bench.run(['policy', 'reconcile'], { env })
    expect(stderr).toMatch(/^error USAGE_INVALID: /)
  })
})

describe('policy hint', () => {
  let folder: string
  let over: AbortController
  let lines: string[]

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(bench.folder, 'policy-'))
    over = new AbortController()
    lines = []
  })
  afterEach(() => over.abort())

  /** Sleeps that end at once when the test's rule says so, and otherwise when they are cancelled. */
  function clockOf(isShort: (ms: number) => boolean) {
    return {
      now: () => 0,
      async sleep(ms: number, cancel?: AbortSignal) {
        if (cancel?.aborted === true) return
        if (isShort(ms)) {
          await new Promise((resolve) => setImmediate(resolve))
          return
        }
        await new Promise((resolve) => cancel?.addEventListener('abort', resolve))
      },
    }
  }
  /** Time flies. */
  const polling = () => clockOf(() => true)
  /** Nothing but events of the file system finds a change. */
  const events = () => clockOf((ms) => ms < 1_000)

  function begin(
    clock: ReturnType<typeof clockOf>,
    flags: Readonly<Record<string, string>> = {},
    env: Readonly<Record<string, string>> = waking(),
  ): Promise<void> {
    const given = Object.entries({ watch: folder, ...flags }).map(
      ([name, value]) => [name, [value]] as const,
    )
    const io = {
      stdout: (text: string) => void lines.push(...text.trimEnd().split('\n')),
      stderr: () => undefined,
      env,
      isTty: false,
      cwd: bench.folder,
      readStdin: async () => new Uint8Array(),
    }
    return hint({ operands: [], flags: new Map(given) }, io, clock, over.signal)
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve))
  }
  const said = (text: string) => () => lines.some((line) => line.includes(text))
  const woken = (): number => lines.filter((line) => line.includes('woken')).length

  it('wakes the kernel once after each generation of the kubelet', async () => {
    await kubelet(folder, '..2026_1', { 'policy.bundle': 'a' })
    const before = policy.wakes.length
    const running = begin(events())
    await until(said('watching'))
    for (const generation of ['..2026_2', '..2026_3']) {
      const seen = woken()
      await kubelet(folder, generation, { 'policy.bundle': generation })
      await until(() => woken() > seen)
    }
    over.abort()
    await running
    expect(policy.wakes.slice(before)).toEqual([undefined, undefined])
    expect(lines).toEqual([
      `watching ${folder}, to wake ${server.url}/internal/policy/reconcile`,
      'woken: default/default no_change',
      'woken: default/default no_change',
      'ended',
    ])
  })

  it('finds each change by looking, where no event can tell: in a folder that came later', async () => {
    const later = join(folder, 'later')
    const running = begin(polling(), { watch: later })
    await until(said('warning'))
    expect(lines[1]).toBe(`warning ${later} is not there yet`)
    const file = join(later, 'policy.yaml')
    await fs.writeFile(join(folder, 'policy.yaml'), 'rules: []')
    const steps = [
      () => fs.mkdir(later),
      () => fs.rename(join(folder, 'policy.yaml'), file),
      () => fs.appendFile(file, '\n'),
      () => fs.rm(file),
      () => kubelet(later, '..2026_1', {}),
      () => kubelet(later, '..2026_2', {}),
    ]
    for (const step of steps) {
      const seen = woken()
      await step()
      await until(() => woken() > seen)
    }
    over.abort()
    await running
    expect(lines.at(-1)).toBe('ended')
  })

  it('brings nothing with it: no byte of policy, no parameter', async () => {
    const requests: Request[] = []
    const fetch: App['fetch'] = (request) => {
      requests.push(request)
      return Response.json(policyStatus())
    }
    const kernel = await serveApp({ fetch })
    const running = begin(polling(), { url: kernel.url })
    await until(said('watching'))
    await fs.writeFile(join(folder, 'policy.yaml'), 'secret rules')
    await until(said('woken'))
    over.abort()
    await running
    kernel.close()
    expect(requests.length).toBeGreaterThan(0)
    for (const { method, url, headers } of requests) {
      expect([method, new URL(url).pathname, new URL(url).search]).toEqual([
        'POST',
        '/internal/policy/reconcile',
        '',
      ])
      expect(headers.get('content-length')).toBe('0')
      expect(headers.has('transfer-encoding')).toBe(false)
      expect(headers.get('authorization')).toBe(`Bearer ${keys.service}`)
    }
  })

  it('tells what it is refused, tries again ever more seldom, and reads its key anew', async () => {
    bench.write('hint.key', 'helm_old_5ec2e7')
    const running = begin(polling(), { url: server.url, 'api-key-file': 'hint.key' }, {})
    await until(said('watching'))
    await fs.writeFile(join(folder, 'policy.yaml'), 'a')
    await until(() => lines.filter((line) => line.startsWith('error')).length >= 7)
    bench.write('hint.key', keys.service)
    await until(said('woken'))
    over.abort()
    await running
    const pauses = lines.map((line) => /tried again in (\d+) s$/.exec(line)?.[1])
    const told = pauses.filter((one) => one !== undefined)
    expect(told.slice(0, 7)).toEqual(['1', '2', '4', '8', '16', '30', '30'])
    expect(lines[1]).toMatch(/^error AUTH_INVALID: .*HELM_SERVICE_API_KEY/)
    expect(lines.join('\n')).not.toContain('5ec2e7')
  })

  it('tells when no kernel answers', async () => {
    const running = begin(polling(), { url: 'http://127.0.0.1:1' })
    await until(said('watching'))
    await fs.writeFile(join(folder, 'policy.yaml'), 'a')
    await until(said('error'))
    over.abort()
    await running
    expect(lines[1]).toMatch(/^error KERNEL_UNREACHABLE: .*tried again in 1 s$/)
  })

  it('takes a refused update for a hint that was heard, and says what the kernel said', async () => {
    statuses = [acme, policyStatus(failed)]
    const running = begin(polling())
    await until(said('watching'))
    await fs.writeFile(join(folder, 'policy.yaml'), 'a')
    await until(said('woken'))
    over.abort()
    await running
    expect(lines[1]).toBe(
      'woken: default/default invalid SIGNATURE_INVALID: ' +
        'the signature is not by a trusted key: sign again (one of 2 scopes)',
    )
  })

  it('ends at once, also while the kernel has not answered', async () => {
    let asked: () => void = () => undefined
    const heard = new Promise<void>((resolve) => (asked = resolve))
    const fetch: App['fetch'] = () => {
      asked()
      return new Promise<never>(() => undefined)
    }
    const kernel = await serveApp({ fetch })
    const running = begin(polling(), { url: kernel.url })
    await until(said('watching'))
    await fs.writeFile(join(folder, 'policy.yaml'), 'a')
    await heard
    over.abort()
    await running
    kernel.close()
    expect(lines.slice(1)).toEqual(['ended'])
  })

  it('writes JSON lines with --json', async () => {
    const running = begin(polling(), { json: '' })
    await until(said('watching'))
    await fs.writeFile(join(folder, 'policy.yaml'), 'a')
    await until(said('woken'))
    over.abort()
    await running
    const time = '1970-01-01T00:00:00.000Z'
    const documents = lines.map((line) => JSON.parse(line) as unknown)
    expect(documents.slice(0, 2)).toEqual([
      { time, event: 'watching', folder, url: `${server.url}/internal/policy/reconcile` },
      { time, event: 'woken', scopes: 1, scope: 'default/default', ended: 'no_change' },
    ])
    expect(documents.at(-1)).toEqual({ time, event: 'ended' })
  })

  it.each([
    [[], '--watch is missing'],
    [['--watch', 'a-file'], '--watch is a folder, and that is a file'],
    [['--watch', '.', '--url', 'ftp://x'], 'the URL of a kernel'],
    [['--watch', '.', '--url', 'http://x/metrics'], 'begins with /internal/'],
  ])('%j is told what to do, with exit code 2', async (flags, message) => {
    bench.write('a-file', '')
    const { code, stderr } = await bench.run(['policy', 'hint', ...flags])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error USAGE_INVALID: policy hint: /)
    expect(stderr).toContain(message)
  })

  it('does not begin without the file of its key', async () => {
    const flags = ['--watch', '.', '--api-key-file', 'nowhere']
    const { code, stderr } = await bench.run(['policy', 'hint', ...flags])
    expect(code).toBe(2)
    expect(stderr).toContain('nowhere cannot be read')
  })
})

describe('the process of policy hint', () => {
  afterEach(endAll)

  it.each(['SIGTERM', 'SIGINT'] as const)('hints until %s, and ends with 0', async (signal) => {
    const folder = await fs.mkdtemp(join(bench.folder, 'process-'))
    const process = start(['policy', 'hint', '--watch', folder], { cwd: folder, env: waking() })
    await process.says('watching')
    await fs.writeFile(join(folder, 'policy.yaml'), 'rules: []')
    await process.says('woken: default/default no_change')
    process.kill(signal)
    expect(await process.ended).toBe(0)
    expect(process.stdout()).toMatch(/\nended\n$/)
    expect(process.stderr()).toBe('')
  })
})

describe('the help of policy commands', () => {
  it.each(['policy status', 'policy reconcile', 'policy hint'])(
    'of %s shows its flags and an example',
    async (name) => {
      const { code, stdout } = await bench.run([...name.split(' '), '--help'])
      expect(code).toBe(0)
      expect(stdout).toContain(`usage: helm-ai-kernel ${name}`)
      expect(stdout).toContain(`example:\n  helm-ai-kernel ${name}`)
      expect(stdout).toContain('--url URL')
      expect(stdout).toContain('--api-key-file FILE')
    },
  )

  it('lists them as a group', async () => {
    const { stdout } = await bench.run(['policy', '--help'])
    for (const name of ['status', 'reconcile', 'hint']) expect(stdout).toContain(`policy ${name} `)
  })
})
