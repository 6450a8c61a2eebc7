import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeHex } from '@helm-ai-kernel/core'
import type { KeyInfo, Readiness } from '@helm-ai-kernel/http'
import { cliBench, serveApp } from '../support/cli.ts'
import { keys, testApp } from '../support/http.ts'
import { kernelSigner } from '../support/kernel.ts'

const bench = cliBench()
afterAll(bench.remove)

const signing: KeyInfo = {
  key_id: kernelSigner.keyId,
  public_key: encodeHex(kernelSigner.publicKey),
  log_public_key: encodeHex(kernelSigner.log.publicKey),
  first_index: 0,
  last_index: null,
}
let listed: readonly KeyInfo[] = [signing]
let readiness: Readiness = { ready: true, reasons: [], warnings: [] }
let server: Awaited<ReturnType<typeof serveApp>>
let ids: readonly string[]

beforeAll(async () => {
  const made = await testApp({ keys: async () => listed, readiness: () => readiness })
  const actions = ['ticket.read', 'refund.create', 'other', 'ticket.read']
  const found: string[] = []
  for (const action of actions) found.push(String((await made.evaluate({ action }))['receipt_id']))
  ids = found
  server = await serveApp(made.app)
})
afterAll(() => server.close())

const env = () => ({ HELM_URL: server.url, HELM_API_KEY: keys.agent })

describe('receipts list', () => {
  it('shows receipts oldest first, and goes on where a page ended', async () => {
    const all = await bench.run(['receipts', 'list', '--kind', 'decision'], { env: env() })
    expect(all.code).toBe(0)
    const rows = all.stdout.trim().split('\n')
    expect(rows.map((row) => row.split(/\s+/)[0])).toEqual(['ALLOW', 'ESCALATE', 'DENY', 'ALLOW'])
    expect(rows.map((row) => row.split(/\s+/).at(-1))).toEqual(ids)
    const args = ['receipts', 'list', '--kind', 'decision', '--limit', '3']
    const first = await bench.run(args, { env: env() })
    const [, cursor = ''] = /more: --cursor (\S+)/.exec(first.stdout) ?? []
    const rest = await bench.run([...args, '--cursor', cursor], { env: env() })
    expect(rest.stdout).toContain(ids[3])
    expect(rest.stdout).not.toContain('more:')
  })

  it('passes filters on, and gives the answer itself with --json', async () => {
    const args = ['receipts', 'list', '--verdict', 'ALLOW', '--action', 'ticket.read']
    expect(await bench.json(args, { env: env() })).toMatchObject({
      count: 2,
      receipts: [{ receipt_id: ids[0] }, { receipt_id: ids[3] }],
    })
    const none = await bench.run(['receipts', 'list', '--principal', 'nobody'], { env: env() })
    expect(none).toEqual({ code: 0, stdout: 'none\n', stderr: '' })
  })

  it('takes the URL and the key from flags, the key from a file alone', async () => {
    bench.write('api.key', `${keys.reader}\n`)
    const args = ['receipts', 'list', '--url', server.url, '--api-key-file', 'api.key']
    expect((await bench.run(args)).code).toBe(0)
  })

  it('says what the kernel said when it refuses', async () => {
    const wrong = { ...env(), HELM_API_KEY: 'helm_wrong_5ec2e7' }
    const { code, stderr } = await bench.run(['receipts', 'list'], { env: wrong })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error AUTH_INVALID: /)
    expect(stderr).not.toContain('5ec2e7')
    const bad = await bench.run(['receipts', 'list', '--limit', 'many'], { env: env() })
    expect(bad.code).toBe(2)
    expect(bad.stderr).toMatch(/^error REQUEST_MALFORMED: .*limit/)
  })

  it('says so when there is no kernel, or it is something else', async () => {
    const other = await serveApp({ fetch: () => new Response('hello', { status: 200 }) })
    const { code, stderr } = await bench.run(['receipts', 'list', '--url', other.url])
    other.close()
    expect(code).toBe(2)
    expect(stderr).toContain('KERNEL_UNREACHABLE')
  })
})

describe('receipts show', () => {
  const show = (...more: readonly string[]) =>
    bench.run(['receipts', 'show', ids[0] ?? '', ...more], { env: env() })

  it('shows a receipt', async () => {
    const { code, stdout } = await show()
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ receipt_id: ids[0], verdict: 'ALLOW' })
  })

  it('verifies it by the keys of the kernel, or by a key that is given', async () => {
    for (const flags of [['--verify'], ['--key', signing.public_key]]) {
      const { code, stdout } = await show(...flags)
      expect(code).toBe(0)
      expect(stdout).toMatch(/pass\s+signature\s+by ed25519:/)
    }
  })

  it('fails under a key that did not sign it', async () => {
    const { code, stdout } = await show('--key', signing.log_public_key)
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+signature.*not among the keys/)
    listed = [{ ...signing, public_key: signing.log_public_key }]
    expect((await show('--verify')).code).toBe(1)
    listed = [signing]
  })

  it.each([
    ['content', { verdict: 'DENY' }],
    ['entry', { entry: { payload: 'AA==' } }],
  ])('fails when the kernel shows other %s than was signed', async (name, changed) => {
    const { stdout: whole } = await show()
    const lie = { ...(JSON.parse(whole) as object), ...changed }
    const liar = await serveApp({
      fetch: ({ url }) => Response.json(url.endsWith('/keys') ? { keys: [signing] } : lie),
    })
    const args = ['receipts', 'show', ids[0] ?? '', '--verify', '--url', liar.url]
    const { code, stdout } = await bench.run(args)
    liar.close()
    expect(code).toBe(1)
    expect(stdout).toMatch(new RegExp(`fail\\s+${name}`))
  })

  it('says that another scope’s receipt is not there', async () => {
    const args = ['receipts', 'show', ids[0] ?? '']
    const { code, stderr } = await bench.run(args, { env: { ...env(), HELM_API_KEY: keys.other } })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error NOT_FOUND: /)
  })
})

describe('health', () => {
  it('is exit code 0 when the kernel is ready', async () => {
    const { code, stdout } = await bench.run(['health', '--url', server.url])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `ready ${server.url}\n` })
  })

  it('is exit code 1 when it is not, with the reasons', async () => {
    const finding = { check: 'policy', code: 'POLICY_NOT_READY', detail: 'none', fix: 'mount one' }
    readiness = { ready: false, reasons: [finding], warnings: [] }
    const { code, stdout } = await bench.run(['health'], { env: env() })
    readiness = { ready: true, reasons: [], warnings: [] }
    expect(code).toBe(1)
    expect(stdout).toContain('is not ready\n  fail policy POLICY_NOT_READY none mount one')
  })

  it('is exit code 1 when nothing answers', async () => {
    const { code, stdout } = await bench.run(['health', '--url', 'http://127.0.0.1:1'])
    expect(code).toBe(1)
    expect(stdout).toContain('fail KERNEL_UNREACHABLE')
  })
})
