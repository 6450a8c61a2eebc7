import process from 'node:process'
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { claimedCheckpoint, decodeEntries } from '@helm-ai-kernel/core/log'
import { secrets, startServer, temporaryFolder, type TestServer } from '../support/server.ts'

// Whoever reaches the ledger's routes of a whole server, with every key and without one: what there is
// to learn is one's own scope, and what the log of all is by design (design 5.2).

const clients = {
  decider: ['acme', ['decide']],
  reader: ['acme', ['read']],
  auditor: ['acme', ['audit']],
  approver: ['acme', ['approve']],
  rival: ['rival', ['decide', 'read', 'approve']],
} as const
type Client = keyof typeof clients

const keyOf = (name: Client) => `helm_key-of-${name}`
/** A key that a request is sent with; none is sent without one. */
const keys = {
  nobody: undefined,
  wrong: 'helm_nobody-knows-me',
  service: secrets.serviceKey,
  admin: secrets.adminKey,
  decider: keyOf('decider'),
  reader: keyOf('reader'),
  auditor: keyOf('auditor'),
  approver: keyOf('approver'),
  rival: keyOf('rival'),
} as const
type Who = keyof typeof keys

const keysFile = JSON.stringify(
  Object.entries(clients).map(([name, [tenant, roles]]) => ({
    name,
    key_sha256: createHash('sha256')
      .update(keyOf(name as Client))
      .digest('hex'),
    tenant_id: tenant,
    workspace_id: 'prod',
    principal: `agent:${name}`,
    roles,
  })),
)

let folder: string
let server: TestServer
let open: TestServer
/** A receipt of acme and one of rival. */
let ours: string
let theirs: string
/** All that the servers answered. */
let answers = ''

async function ask(
  who: Who,
  path: string,
  init: RequestInit = {},
  of = server,
): Promise<{ status: number; type: string; text: string; headers: Headers }> {
  const key = keys[who]
  const response = await fetch(of.api + path, {
    ...init,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(init.headers as Record<string, string> | undefined),
    },
    redirect: 'manual',
  })
  const text = Buffer.from(await response.arrayBuffer()).toString('latin1')
  answers += `${JSON.stringify([...response.headers])}\n${text}\n`
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, type, text, headers: response.headers }
}

const post = (body: unknown, type = 'application/json') => ({
  method: 'POST',
  headers: { 'content-type': type },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

async function decide(who: Who, action: string, of = server): Promise<string> {
  const body = { action, resource: 'ticket:1', args: { secret: 'hunter2' } }
  const { text } = await ask(who, '/api/v1/evaluate', post(body), of)
  return (JSON.parse(text) as { receipt_id: string }).receipt_id
}

/** The text of an answer to bytes that no client would send. */
function raw(request: string, of = server): Promise<string> {
  const { hostname, port } = new URL(of.api)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname)
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
    socket.on('close', () => resolve(text)).on('error', reject)
    socket.end(request)
  })
}

const rawGet = (path: string, who: Who = 'reader', of = server) =>
  raw(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n` +
      `${keys[who] === undefined ? '' : `Authorization: Bearer ${keys[who]}\r\n`}\r\n`,
    of,
  )

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

/** Resolves when the newest checkpoint covers every receipt that there is now. */
async function published(of: TestServer): Promise<void> {
  const { text } = await ask('admin', `/api/v1/receipts/${await decide('admin', 'x', of)}`, {}, of)
  const { log_index: index } = JSON.parse(text) as { log_index: number }
  await vi.waitFor(
    async () => {
      const checkpoint = await ask('admin', '/log/checkpoint', {}, of)
      expect(claimedCheckpoint(Buffer.from(checkpoint.text, 'latin1')).size).toBeGreaterThan(index)
    },
    { timeout: 10_000 },
  )
}

beforeAll(async () => {
  folder = await temporaryFolder()
  const file = join(folder, 'keys.json')
  await fs.writeFile(file, keysFile)
  const env = { HELM_API_KEYS_FILE: file, HELM_LOG_LEVEL: 'debug' }
  server = await startServer(join(folder, 'closed'), env)
  open = await startServer(join(folder, 'open'), { ...env, HELM_LOG_PUBLIC: '1' })
  ours = await decide('decider', 'ours.action')
  theirs = await decide('rival', 'theirs.action')
  for (let i = 0; i < 6; i++) await decide('rival', 'theirs.action')
  for (let i = 0; i < 3; i++) await decide('decider', 'ours.action', open)
  await Promise.all([published(server), published(open)])
})
afterAll(async () => {
  await Promise.all([server.close(), open.close()])
  await fs.rm(folder, { recursive: true })
})

const routes = {
  checkpoint: ['/log/checkpoint', {}],
  'hash tile': ['/log/tile/0/000.p/1', {}],
  entries: ['/log/tile/entries/000.p/1', {}],
  proof: ['/log/proof/ID', {}],
  list: ['/api/v1/receipts', {}],
  receipt: ['/api/v1/receipts/ID', {}],
  tail: ['/api/v1/receipts/tail', { method: 'HEAD' }],
  export: ['/api/v1/evidence/export', post({})],
  verify: ['/api/v1/evidence/verify', post('no tar', 'application/x-tar')],
} as const satisfies Record<string, readonly [string, RequestInit]>
type Route = keyof typeof routes

const all = Object.keys(routes) as readonly Route[]
const reading = all.filter((route) => route !== 'entries')
const allowed: Readonly<Record<Who, readonly Route[]>> = {
  nobody: [],
  wrong: [],
  service: [],
  decider: [],
  approver: [],
  auditor: ['entries'],
  reader: reading,
  // His own receipts: what he asks for here is another's.
  rival: reading.filter((route) => route !== 'proof' && route !== 'receipt'),
  admin: ['checkpoint', 'hash tile', 'entries', 'list', 'tail', 'export', 'verify'],
}

describe('every key at every route of the ledger', () => {
  for (const [who, may] of Object.entries(allowed) as [Who, readonly Route[]][]) {
    it(`${who} is let in to: ${may.join(', ') || 'nothing'}`, async () => {
      for (const route of all) {
        const [path, init] = routes[route]
        const { status, type, text } = await ask(who, path.replace('ID', ours), init)
        const refused = who === 'nobody' || who === 'wrong' ? 401 : 403
        const foreign = (route === 'proof' || route === 'receipt') && status === 404
        const expected = may.includes(route) ? 200 : foreign ? 404 : refused
        expect([route, status]).toEqual([route, expected])
        if (status === 200 || init === routes.tail[1]) continue
        expect(type, route).toBe('application/problem+json')
        expect(JSON.parse(text), route).toMatchObject({
          status,
          code: expect.stringMatching(/^[A-Z_]+$/) as unknown,
          detail: expect.stringMatching(/./) as unknown,
        })
      }
    })
  }

  it('a public log opens checkpoint and hash tiles, and nothing else', async () => {
    for (const route of all) {
      const [path, init] = routes[route]
      const { status } = await ask('nobody', path.replace('ID', ours), init, open)
      expect([route, status]).toEqual([
        route,
        route === 'checkpoint' || route === 'hash tile' ? 200 : 401,
      ])
    }
  })
})

describe('methods and paths', () => {
  it('that a route has not are 405 and say which it has, HEAD is GET without its body', async () => {
    for (const route of all) {
      const [path, init] = routes[route]
      const isPost = 'method' in init && init.method === 'POST'
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const takes = isPost ? method === 'POST' : method === 'GET' || method === 'HEAD'
        if (takes && method !== 'HEAD') continue
        const answer = await ask('admin', path.replace('ID', ours), { method })
        if (method === 'HEAD') expect(answer.text).toBe('')
        if (takes) continue
        expect([route, method, answer.status]).toEqual([route, method, 405])
        expect(answer.headers.get('allow')).toBe(isPost ? 'POST' : 'GET, HEAD')
      }
    }
  })

  const deep = `x${'000/x'.repeat(1000)}000`
  const absurd = [
    ...['0/999', '0/9007199254740993', '0/x999/999', '0/-1', '0/1e3', '0/0x0', '0/00', '0/0000'],
    ...[
      '0/000.p/0',
      '0/000.p/256',
      '0/000.p/257',
      '0/000.p/-1',
      '0/000.p/01',
      '0/000.p/',
      '0/000.p',
    ],
    ...[
      '63/000',
      '64/000',
      '00/000',
      '-1/000',
      '0/x000/000',
      '0/X001/000',
      '0/',
      '',
      '0',
      '0/000/',
    ],
    ...[
      '0//000',
      '/0/000',
      '0/000%00',
      '0/000%2ep/1',
      '0%2f000',
      '0%5c000',
      '0/000.p%2f1',
      '0\\000',
    ],
    ...['..%2f..%2fkeys', '%2e%2e/%2e%2e/keys/receipt.key', '0/000;a', '0/０００', '0/000.p/1/000'],
    ...['entries', 'entries/', 'entries/../0/999', 'entries//000', 'entries%2f000', 'Entries/000'],
    ...[`0/${deep}`, `entries/${deep}`, `0/${'9'.repeat(3000)}`, `0/000.p/${'1'.repeat(3000)}`],
  ]
  it('that no tile has are 404, for the admin too', async () => {
    for (const path of absurd) {
      const { status, type } = await ask('admin', `/log/tile/${path}`)
      expect([path, status, type]).toEqual([path, 404, 'application/problem+json'])
    }
  })

  it('never leave /log, and never reach entries without the role, however they are spelt', async () => {
    const paths = [
      ...[
        '/log/tile/0/../entries/000.p/1',
        '/log/tile/./entries/000.p/1',
        '/log//tile/entries/000.p/1',
      ],
      ...[
        '/log/tile/%65ntries/000.p/1',
        '/log/tile/0/%2e%2e/entries/000.p/1',
        '/log/tile//entries/000.p/1',
      ],
      ...[
        '/log/./tile/entries/000.p/1',
        '/x/../log/tile/entries/000.p/1',
        '/log/tile/entries/000.p/1?x=/0/',
      ],
      ...[
        '/log/tile/entries/000.p/1#/log/tile/0/000',
        '/log/tile/entries%2F000.p%2F1',
        '/log/tile/ENTRIES/000.p/1',
      ],
      ...[
        '/log/../../../../etc/passwd',
        '/log/tile/../../ledger/checkpoint',
        '/log/%2e%2e/keys/receipt.key',
      ],
      ...[
        '/log/checkpoint/',
        '/log/checkpoint/..%2f',
        '/log',
        '/log/',
        '/log/tile',
        '/LOG/checkpoint',
      ],
      ...[
        `http://127.0.0.1/log/tile/entries/000.p/1`,
        '*',
        '/log/proof/',
        '/log/proof/..%2f..%2fx',
      ],
    ]
    for (const path of paths) {
      const answer = await rawGet(path)
      answers += answer
      expect([path, statusOf(answer) >= 400], answer).toEqual([path, true])
      const withoutKey = await rawGet(path, 'nobody', open)
      answers += withoutKey
      expect([path, statusOf(withoutKey) >= 400], withoutKey).toEqual([path, true])
      expect(answer + withoutKey).not.toContain('payload')
    }
  })

  it('that are longer than a server takes are refused, and a fresh request is served', async () => {
    expect(statusOf(await rawGet(`/log/tile/0/${'x000/'.repeat(10_000)}000`))).toBe(413)
    expect((await ask('reader', '/log/checkpoint')).status).toBe(200)
  })
})

describe('what another tenant has', () => {
  const rivals = ['theirs.action', 'agent:rival', '"rival"']

  it('is in no list, proof, receipt or export of mine, nor in what an error says', async () => {
    const seen = [
      await ask('reader', '/api/v1/receipts?limit=1000&entries=true'),
      await ask('reader', '/api/v1/receipts?action=theirs.action'),
      await ask('reader', '/api/v1/receipts?principal=agent:rival'),
      await ask('reader', `/api/v1/receipts/${theirs}`),
      await ask('reader', `/log/proof/${theirs}`),
      await ask('reader', '/api/v1/evidence/export', post({})),
      await ask('reader', '/api/v1/evidence/export', post({ from: 2 })),
      await ask('reader', '/api/v1/evidence/export', post({ to: 2 })),
    ]
    for (const { text } of seen) {
      for (const rival of rivals) expect(text).not.toContain(rival)
      // An entry is base64 of base64's caller: look into those, too.
      const payloads = [...text.matchAll(/"payload":"([A-Za-z0-9+/=]+)"/g)].map(([, base64 = '']) =>
        Buffer.from(base64, 'base64').toString(),
      )
      for (const payload of payloads) {
        expect(payload).toMatch(/"tenant_id":"(acme|helm)"/)
        for (const rival of rivals) expect(payload).not.toContain(rival)
      }
    }
    expect(seen.map(({ status }) => status)).toEqual([200, 200, 200, 404, 404, 200, 404, 400])
  })

  it('is told as what nobody has: the same words for a receipt of another and for none', async () => {
    const none = `rcpt-${'0'.repeat(64)}`
    const told = async (path: string, id: string) => {
      const { text } = await ask('reader', path + id)
      const { trace_id, instance, ...rest } = JSON.parse(text) as Record<string, unknown>
      expect([trace_id, instance]).not.toContain(undefined)
      return rest
    }
    for (const path of ['/api/v1/receipts/', '/log/proof/']) {
      expect(await told(path, theirs)).toEqual(await told(path, none))
    }
  })

  it('is not counted in what I am told of cursors and ranges', async () => {
    const { text } = await ask('rival', '/api/v1/receipts?limit=5')
    const { next_cursor: cursor } = JSON.parse(text) as { next_cursor: string }
    const list = await ask('reader', `/api/v1/receipts?cursor=${cursor}`)
    expect(list.status).toBe(400)
    const tail = await ask('reader', '/api/v1/receipts/tail', {
      headers: { 'last-event-id': cursor },
    })
    expect(tail.status).toBe(400)
    // Own receipts, of which there is one.
    const range = await ask('reader', '/api/v1/evidence/export', post({ from: 1, to: 7 }))
    expect(range.text).toContain('is seq 1;')
  })

  it('is in entry tiles alone, which only audit opens', async () => {
    const tile = await ask('auditor', '/log/tile/entries/000.p/8')
    const entries = decodeEntries(new Uint8Array(Buffer.from(tile.text, 'latin1')))
    const text = entries
      .map((entry) => JSON.parse(Buffer.from(entry).toString()) as { payload: string })
      .map(({ payload }) => Buffer.from(payload, 'base64').toString())
      .join('\n')
    expect(text).toContain('theirs.action')
    const hashes = await ask('nobody', '/log/tile/0/000.p/3', {}, open)
    expect(hashes.text).toHaveLength(3 * 32)
  })

  it('cannot be asserted into view', async () => {
    const headers = { 'x-helm-tenant-id': 'rival', 'x-helm-workspace-id': 'prod' }
    for (const route of reading) {
      const [path, init] = routes[route]
      const more = { ...('headers' in init && init.headers), ...headers }
      const { status } = await ask('reader', path.replace('ID', theirs), { ...init, headers: more })
      expect([route, status]).toEqual([route, 403])
    }
  })
})

describe('bad input', () => {
  const cursor = (text: string) => btoa(text).replaceAll('=', '')

  const noCursors = [
    ...['', ' ', 'x', '0', '-1', '%00', '../../x', 'seq:1', 'A'.repeat(5000), '\u{1f600}'],
    ...[cursor('seq:1:00000000'), cursor('seq:1'), cursor('seq:9999999999999999:00000000')],
  ]
  it('a cursor that is none, or of another place, is refused by list, tail and Last-Event-ID', async () => {
    for (const value of noCursors) {
      const query = `cursor=${encodeURIComponent(value)}`
      for (const path of ['receipts', 'receipts/tail']) {
        const { status, text } = await ask('reader', `/api/v1/${path}?${query}`)
        expect([value, path, status]).toEqual([value, path, 400])
        expect(JSON.parse(text)).toMatchObject({ code: 'REQUEST_MALFORMED' })
      }
      if (!/^[\x21-\x7e]+$/.test(value)) continue
      const headers = { 'last-event-id': value }
      const { status } = await ask('reader', '/api/v1/receipts/tail', { headers })
      expect([value, status]).toEqual([value, 400])
    }
  })

  const noExports: readonly (readonly [unknown, number])[] = [
    [{ from: 0 }, 400],
    [{ from: -1 }, 400],
    [{ from: 1.5 }, 400],
    [{ from: '1' }, 400],
    [{ from: 2, to: 1 }, 400],
    [{ from: 9_007_199_254_740_991 }, 404],
    [{ from: 1, to: 9_007_199_254_740_991 }, 413],
    [{ from: 1, to: 10_000 }, 400],
    [{ from: 1, to: 10_001 }, 413],
    [{ tree_size: 0 }, 400],
    [{ tree_size: 3 }, 400],
    [{ tree_size: 1_000_000 }, 400],
    [{ checkpoint: '' }, 400],
    [{ checkpoint: 'x' }, 400],
    [{ checkpoint: 7 }, 400],
    [{ salts: 'yes' }, 400],
    [{ scope: 'rival/prod' }, 400],
    [{ tenant_id: 'rival' }, 400],
    [{ __proto__: null, constructor: {} }, 400],
    [[], 400],
    ['{"from":1,"from":2}', 400],
    ['{"__proto__":{"salts":true}}', 400],
    ['{"from":1e400}', 400],
    ['', 400],
    [`${'['.repeat(70)}${']'.repeat(70)}`, 400],
    [`{"checkpoint":"${'x'.repeat(1 << 20)}"}`, 413],
  ]
  it('the cursor of another ledger is refused where the same scope has as many receipts', async () => {
    const path = '/api/v1/receipts?limit=1'
    const { text } = await ask('reader', path, {}, open)
    const { next_cursor: foreign } = JSON.parse(text) as { next_cursor: string }
    expect((await ask('reader', `${path}&cursor=${foreign}`, {}, open)).status).toBe(200)
    const answer = await ask('reader', `${path}&cursor=${foreign}`)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('cursor')])
    const headers = { 'last-event-id': foreign }
    expect((await ask('reader', '/api/v1/receipts/tail', { headers })).status).toBe(400)
  })

  it('an export of what there is not is refused, each with its status', async () => {
    for (const [body, expected] of noExports) {
      const { status, type, text } = await ask('reader', '/api/v1/evidence/export', post(body))
      const what = JSON.stringify(body).slice(0, 80)
      expect([what, status, type], text).toEqual([what, expected, 'application/problem+json'])
    }
  })

  it('a pack that is none, of another type or too large is refused', async () => {
    const verify = (init: RequestInit) => ask('reader', '/api/v1/evidence/verify', init)
    expect((await verify(post('', 'application/x-tar'))).text).toContain('"FAIL"')
    expect((await verify(post('x'.repeat(100_000), 'application/x-tar'))).text).toContain('"FAIL"')
    expect((await verify(post('{}'))).status).toBe(415)
    expect((await verify(post('x', 'multipart/form-data; boundary=x'))).status).toBe(415)
    const gzip = { 'content-type': 'application/x-tar', 'content-encoding': 'gzip' }
    expect((await verify({ ...post('x'), headers: gzip })).status).toBe(415)
    const declared = await raw(
      `POST /api/v1/evidence/verify HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n` +
        `Authorization: Bearer ${keys.reader}\r\nContent-Type: application/x-tar\r\n` +
        `Content-Length: 67108865\r\n\r\n`,
    )
    expect(statusOf(declared)).toBe(413)
  })
})

describe('a kernel whose ledger is damaged', () => {
  const wal = 'ledger/wal/0000000000000000'
  const damages: Readonly<Record<string, (data: string) => Promise<void>>> = {
    'one bit flipped': async (data) => {
      const bytes = await fs.readFile(join(data, wal))
      bytes[300] = (bytes[300] ?? 0) ^ 1
      await fs.writeFile(join(data, wal), bytes)
    },
    'cut off': (data) => fs.truncate(join(data, wal), 2000),
    'without its entries': (data) => fs.rm(join(data, wal)),
    'without its name': (data) => fs.rm(join(data, 'ledger/origin')),
  }
  it.each(Object.entries(damages))(
    '%s: shows nothing of it as if it were all',
    async (what, harm) => {
      const data = join(folder, what)
      const env = { HELM_API_KEYS_FILE: join(folder, 'keys.json'), HELM_LOG_LEVEL: 'debug' }
      const whole = await startServer(data, env)
      for (let i = 0; i < 5; i++) await decide('decider', 'ours.action', whole)
      await whole.close()
      await harm(data)
      const damaged = await startServer(data, env)
      for (const route of all) {
        const [path, init] = routes[route]
        const who = route === 'entries' ? 'auditor' : 'reader'
        const { status, type } = await ask(who, path.replace('ID', ours), init, damaged)
        expect([route, status, type]).toEqual([route, 503, 'application/problem+json'])
      }
      const { reasons } = await damaged.readyz()
      expect(reasons).toContainEqual(expect.objectContaining({ check: 'ledger' }))
      await damaged.close()
    },
  )
})

describe('what was said', () => {
  it('has no secret, path or stack in it, and neither has the log', () => {
    const log = server.text() + open.text()
    expect(log.length).toBeGreaterThan(1000)
    expect(answers.length).toBeGreaterThan(10_000)
    for (const key of Object.values(keys)) {
      if (key !== undefined) expect(log + answers).not.toContain(key)
    }
    for (const secret of [secrets.seed, 'hunter2', '"salt"', 'salts.json']) {
      expect(log + answers).not.toContain(secret)
    }
    expect(log).not.toMatch(/args_salt/)
    for (const trace of [
      folder,
      process.cwd(),
      'node_modules',
      '.ts:',
      '.js:',
      '    at ',
      'ENOENT',
    ]) {
      expect(answers).not.toContain(trace)
    }
    expect(log).not.toMatch(/\n\s+at /)
  })
})
