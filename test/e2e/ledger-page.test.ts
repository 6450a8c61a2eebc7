import { execFile, spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { claimedCheckpoint } from '@helm-ai-kernel/core/log'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { hasPostgres, startPostgres, type TestServer as Database } from '../support/postgres.ts'
import { bin, endAll, start, type Started } from '../support/process.ts'
import { secrets } from '../support/server.ts'

// The page on the ledger is a test: its commands run here, in order, against a kernel that runs. What
// stands behind the language of a block says how: `stopped` without the kernel, `endless` until there is
// something to see, `postgres` and `sql` with a database, `ledger` in the one of that name.

const root = resolve(import.meta.dirname, '../..')
const page = await fs.readFile(join(root, 'docs/ledger.md'), 'utf8')
const readme = await fs.readFile(join(root, 'README.md'), 'utf8')
const run = promisify(execFile)
const haveCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
)
if (!haveCurl) console.log('skipped: there is no curl to run the commands of docs/ledger.md with')

interface Block {
  readonly language: string
  readonly how: readonly string[]
  readonly code: string
}

function blocksOf(text: string): readonly Block[] {
  return [...text.matchAll(/^```(\w+)(.*)\n([^]*?)^```$/gm)].map(
    ([, language = '', how = '', code = '']) => ({ language, how: how.trim().split(' '), code }),
  )
}

const blocks = blocksOf(page)
const proveIt = blocksOf(readme.split('## Prove it\n')[1] ?? '')[0]
/** The last line of the block on a change of keys holds the log against a head from before it. */
const proveHistory = /^npx helm-ai-kernel ledger prove --from .* "\$NEXT_LOG_VKEY"$/m.exec(
  page,
)?.[0]

interface Key {
  readonly public_key: string
  readonly log_vkey: string
}

describe.skipIf(!haveCurl)('the page on the ledger', () => {
  let folder: string
  let database: Database | undefined
  let kernel: Started | undefined
  /** What the reader has set. */
  let env: Readonly<Record<string, string>> = { HELM_API_KEY: secrets.adminKey }

  beforeAll(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'helm-ledger-page-'))
    await fs.mkdir(join(folder, 'policy'))
    const policy = 'rules: [{ id: read, effect: ALLOW, actions: [ticket.read] }]\n'
    await fs.writeFile(join(folder, 'policy/policy.yaml'), policy)
    await fs.writeFile(join(folder, 'candidate.yaml'), policy)
    if (hasPostgres) database = await startPostgres()
    await up({})
    const decided = await decide('ticket.read')
    await decide('ticket.delete')
    const [key] = await keys()
    env = {
      ...env,
      RECEIPT_ID: decided.receipt_id,
      KEY: key?.public_key ?? '',
      LOG_VKEY: key?.log_vkey ?? '',
    }
    await vi.waitFor(async () => {
      const note = await get('/log/checkpoint')
      expect(claimedCheckpoint(new Uint8Array(await note.arrayBuffer())).size).toBe(4)
    }, 10_000)
  })
  afterAll(async () => {
    endAll()
    await database?.end()
    await fs.rm(folder, { recursive: true, force: true })
  })

  it('has the commands that the README shows', async () => {
    expect(await sh(proveIt?.code ?? '')).toContain('cosigned 4 entries')
  })

  it('has each check that the verification tells', async () => {
    const told = await sh('npx helm-ai-kernel ledger verify --data-dir data --json')
    const { checks } = JSON.parse(told) as { readonly checks: readonly { readonly name: string }[] }
    const table = /^\| check .*\n([^]*?)\n\n/m.exec(page)?.[1] ?? ''
    const rows = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/\w+/g) ?? [])
    expect(rows).toEqual(expect.arrayContaining(checks.map(({ name }) => name)))
  })

  for (const { language, how, code } of blocks) {
    const needsDatabase = language === 'sql' || how.includes('postgres')
    it.skipIf(needsDatabase && !hasPostgres)(`runs: ${code.split('\n')[0]}`, async () => {
      if (how.includes('stopped')) await down()
      if (language === 'sql') await sql(code, how.includes('ledger') ? 'ledger' : 'postgres')
      else if (how.includes('endless')) await watchAll(code)
      else expect(await sh(code)).not.toContain('FAIL')
      if (how.includes('ledger')) await moved()
      else if (how.includes('stopped') && !needsDatabase) await restarted()
    })
  }

  /** The rotation is over when the kernel has begun with the next key. */
  async function restarted(): Promise<void> {
    const rotated = (await fs.readdir(folder)).includes('next.key')
    await up(rotated ? { HELM_SIGNING_KEY_FILE: 'next.key' } : {})
    expect((await decide('ticket.read')).verdict).toBe('ALLOW')
    const all = await keys()
    expect(all.length).toBe(rotated ? 2 : 1)
    env = { ...env, NEXT_LOG_VKEY: all.at(-1)?.log_vkey ?? '' }
  }

  /** The copy goes on in the database, as the role that may not change what is written. */
  async function moved(): Promise<void> {
    const url = urlOf('helm_kernel')
    await up({
      HELM_SIGNING_KEY_FILE: 'next.key',
      HELM_STORAGE_TYPE: 'postgres',
      DATABASE_URL: url,
    })
    expect((await decide('ticket.read')).verdict).toBe('ALLOW')
    expect(await sh(proveHistory ?? 'false')).toMatch(/unchanged since size [45]$/m)
  }

  async function up(more: Readonly<Record<string, string>>): Promise<void> {
    const data = 'DATABASE_URL' in more ? 'replica' : 'data'
    kernel = start(['serve', '--policy', 'policy', '--data-dir', data], {
      cwd: folder,
      env: {
        HELM_ADMIN_API_KEY: secrets.adminKey,
        HELM_PORT: '0',
        HELM_HEALTH_PORT: '0',
        HELM_RECEIPT_ARGS: 'store',
        ...more,
      },
    })
    const { api } = await kernel.line('helm-ai-kernel')
    env = { ...env, HELM_URL: String(api) }
    await kernel.line('ready')
  }

  async function down(): Promise<void> {
    kernel?.kill('SIGTERM')
    await kernel?.line('draining')
    // Once more, and it waits for nobody.
    kernel?.kill('SIGTERM')
    await kernel?.ended
  }

  function get(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = {
      authorization: `Bearer ${secrets.adminKey}`,
      'content-type': 'application/json',
    }
    return fetch(`${env['HELM_URL']}${path}`, { ...init, headers })
  }

  async function decide(action: string) {
    const body = JSON.stringify({ action, resource: 'ticket:1', args: { n: 1 } })
    const answer = await get('/api/v1/evaluate', { method: 'POST', body })
    return (await answer.json()) as { readonly verdict: string; readonly receipt_id: string }
  }

  async function keys(): Promise<readonly Key[]> {
    const answer = await get('/api/v1/keys')
    return ((await answer.json()) as { readonly keys: readonly Key[] }).keys
  }

  /** All of it as it stands there; the first command that fails fails it. Resolves to stdout. */
  async function sh(code: string): Promise<string> {
    const { stdout } = await run('sh', ['-e', '-c', commandsOf(code)], surroundings())
    return stdout
  }

  /** Each line runs until it tells of a denial, and then ends when it is told to. */
  async function watchAll(code: string): Promise<void> {
    for (const line of code.trim().split('\n')) {
      const child = spawn('sh', ['-c', `exec ${commandsOf(line)}`], surroundings())
      const ended = new Promise((end) => child.once('close', end))
      let seen = ''
      child.stdout.setEncoding('utf8').on('data', (piece: string) => (seen += piece))
      try {
        await vi.waitFor(
          async () => {
            await decide('ticket.delete')
            expect(seen).toContain('NO_MATCHING_RULE')
          },
          { timeout: 30_000, interval: 200 },
        )
      } finally {
        child.kill('SIGTERM')
        await ended
      }
    }
  }

  async function sql(code: string, name: string): Promise<void> {
    for (const statement of code.split(/;\n/)) await database?.sql(statement, name)
  }

  function surroundings() {
    const PATH = process.env['PATH'] ?? ''
    return { cwd: folder, env: { PATH, ...env, OWNER_URL: urlOf('helm_owner') } }
  }

  function urlOf(user: string): string {
    return database?.urlOf({ user, password: 'change-me', database: 'ledger' }) ?? ''
  }
})

/** With the command taken from this checkout. */
function commandsOf(code: string): string {
  return code.replaceAll('npx helm-ai-kernel', `"${process.execPath}" "${bin}"`)
}
