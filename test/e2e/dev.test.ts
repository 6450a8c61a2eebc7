import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endAll, runBin, start, type Started } from '../support/process.ts'

const run = promisify(execFile)
const haveCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
)
if (!haveCurl) console.log('skipped: there is no curl to run the printed lines with')

let folder: string

beforeEach(async () => {
  // A blank in the path: what is printed must still work when pasted.
  folder = await fs.mkdtemp(join(tmpdir(), 'helm dev '))
})

afterEach(async () => {
  endAll()
  await fs.rm(folder, { recursive: true, force: true })
})

const free = { HELM_PORT: '0', HELM_HEALTH_PORT: '0' }
const policyFile = () => join(folder, '.helm/policy.yaml')

async function dev(env: Readonly<Record<string, string>> = {}, args: string[] = []) {
  const process = start(['dev', ...args], { cwd: folder, env: { ...free, ...env } })
  await process.says('Ctrl-C ends it.')
  const api = /http:\/\/127\.0\.0\.1:\d+/.exec(process.stdout())?.[0] ?? ''
  return { ...process, api }
}

function curlLines(process: Started): readonly string[] {
  return process
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('curl '))
}

/** A line, run as a person would run it after pasting. */
async function paste(line: string): Promise<Record<string, unknown>> {
  const { stdout } = await run('sh', ['-c', line], { cwd: folder })
  return JSON.parse(stdout) as Record<string, unknown>
}

async function evaluate({ api }: { api: string }, action: string) {
  const key = (await fs.readFile(join(folder, '.helm/keys/agent.key'), 'utf8')).trim()
  const response = await fetch(`${api}/api/v1/evaluate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ action, resource: 'ticket:1' }),
  })
  return (await response.json()) as Record<string, unknown>
}

describe('dev', () => {
  it.skipIf(!haveCurl)(
    'prints three lines that work when pasted, one for each verdict',
    async () => {
      const server = await dev()
      const answers = await Promise.all(curlLines(server).map(paste))
      expect(answers.map(({ verdict }) => verdict)).toEqual(['ALLOW', 'DENY', 'ESCALATE'])
      for (const { receipt_id } of answers) expect(receipt_id).toMatch(/^rcpt-[0-9a-f]{64}$/)
    },
  )

  it.skipIf(!haveCurl)('prints lines that work with a data directory elsewhere too', async () => {
    const elsewhere = await fs.mkdtemp(join(tmpdir(), "helm's own "))
    try {
      const [line = ''] = curlLines(await dev({}, ['--data-dir', elsewhere]))
      expect(await paste(line)).toMatchObject({ verdict: 'ALLOW' })
    } finally {
      endAll()
      await fs.rm(elsewhere, { recursive: true, force: true })
    }
  })

  it('makes its keys once, for their owner alone, and the policy key is not the receipt key', async () => {
    const first = await dev()
    first.kill('SIGINT')
    expect(await first.ended).toBe(0)
    const keys = join(folder, '.helm/keys')
    const read = async () =>
      Object.fromEntries(
        await Promise.all(
          ['receipt', 'policy', 'admin', 'service', 'agent'].map(async (name) => {
            const path = join(keys, `${name}.key`)
            expect((await fs.stat(path)).mode & 0o777).toBe(0o600)
            return [name, await fs.readFile(path, 'utf8')] as const
          }),
        ),
      )
    const made = await read()
    expect(new Set(Object.values(made)).size).toBe(5)
    expect(first.stdout() + first.stderr()).not.toContain(made['admin']?.trim())
    await dev()
    expect(await read()).toEqual(made)
  })

  it('builds, signs and installs each change; a broken one is told and changes nothing', async () => {
    const server = await dev({ HELM_LOG_LEVEL: 'info' })
    expect(await evaluate(server, 'ticket.close')).toMatchObject({
      verdict: 'DENY',
      policy_epoch: 1,
    })
    await fs.writeFile(policyFile(), 'rules: [{ id: all, effect: ALLOW, actions: ["ticket.*"] }]\n')
    await server.says('policy activated policy_epoch=2')
    expect(await evaluate(server, 'ticket.close')).toMatchObject({
      verdict: 'ALLOW',
      policy_epoch: 2,
    })
    await fs.writeFile(policyFile(), 'rules: [{ id: all, effect: PERMIT, actions: ["*"] }]\n')
    await server.says('effect is ALLOW, DENY or ESCALATE')
    await fs.writeFile(
      policyFile(),
      'rules: [{ id: x, effect: ALLOW, actions: [a], when: { path: args.x, op: like, value: 1 } }]\n',
    )
    await server.says('like')
    expect(await evaluate(server, 'ticket.close')).toMatchObject({
      verdict: 'ALLOW',
      policy_epoch: 2,
    })
    // The good bundle is still there for the next start.
    server.kill('SIGINT')
    await server.ended
    const again = await dev()
    expect(await evaluate(again, 'ticket.close')).toMatchObject({
      verdict: 'ALLOW',
      policy_epoch: 2,
    })
  })

  it('keeps what a person wrote, and resumes without counting an epoch', async () => {
    const first = await dev()
    await fs.appendFile(policyFile(), '# a note\n')
    first.kill('SIGINT')
    await first.ended
    const second = await dev()
    expect(await fs.readFile(policyFile(), 'utf8')).toMatch(/# a note\n$/)
    expect(await evaluate(second, 'ticket.read')).toMatchObject({ policy_epoch: 1 })
  })

  it('cannot be made unsafe by the environment, and says what it does not look at', async () => {
    const server = await dev({
      HELM_BIND_ADDR: '0.0.0.0',
      HELM_PRODUCTION: 'true',
      HELM_ADMIN_API_KEY: 'guessable',
      HELM_POLICY_PATH: '/nowhere',
      HELM_LOG_LEVEL: 'info',
    })
    expect(server.api).toContain('127.0.0.1')
    expect(server.stderr()).toContain(
      'dev does not look at HELM_BIND_ADDR, HELM_PRODUCTION, HELM_ADMIN_API_KEY, HELM_POLICY_PATH; serve does',
    )
    const answer = await fetch(`${server.api}/api/v1/receipts`, {
      headers: { authorization: 'Bearer guessable' },
    })
    expect(answer.status).toBe(401)
    expect(await evaluate(server, 'ticket.read')).toMatchObject({ verdict: 'ALLOW' })
  })

  it('does not serve on at SIGINT, and says which port is busy', async () => {
    const server = await dev({ HELM_LOG_LEVEL: 'info', HELM_LOG_FORMAT: 'json' })
    server.kill('SIGINT')
    expect(await server.ended).toBe(0)
    expect(server.stderr()).toContain('"serving_on_for_ms":0')

    const busy = createServer()
    await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done))
    const address = busy.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    const { code, stderr } = await runBin(['dev', '--port', port], { cwd: folder, env: free })
    busy.close()
    expect(code).toBe(2)
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`)
    expect(stderr).toContain('HELM_PORT or --port; 0 takes a free one')
  })
})
