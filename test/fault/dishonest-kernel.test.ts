import fs from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { claimedCheckpoint } from '@helm-ai-kernel/core/log'
import { cliBench } from '../support/cli.ts'
import { membersOf } from '../support/evidence.ts'
import { secrets, startServer, temporaryFolder, type TestServer } from '../support/server.ts'

// An operator who has the data directory and the keys, and rewrites history. From within nothing is
// wrong with what he shows (design 4: the stated window); whoever kept anything outside sees it.

const bench = cliBench()
let folder: string
let logKey: string
let publicKey: string
/** As the witness kept it: the head of day two. */
let seen: Uint8Array
/** Sizes of the log at the end of each day. */
let [yesterday, today] = [0, 0]

const at = (name: string) => join(folder, name)
const env = (server: TestServer) => ({ HELM_URL: server.api, HELM_API_KEY: secrets.adminKey })

/** Runs a kernel over a data directory, for as long as the work takes. */
async function during<T>(
  name: string,
  work: (server: TestServer) => Promise<T>,
  more: Readonly<Record<string, string>> = {},
): Promise<T> {
  const server = await startServer(at(name), more)
  try {
    return await work(server)
  } finally {
    await server.close()
  }
}

const copy = (from: string, to: string) => fs.cp(at(from), at(to), { recursive: true })

/** Records so many decisions, of an action of their own; the size of the log when all are published. */
async function record(server: TestServer, count: number, action: string): Promise<number> {
  let last = ''
  for (let i = 0; i < count; i++) {
    last = (await server.evaluate({ action, resource: `ticket:${i}` })).receipt_id
  }
  const index = Number((await server.receipt(last))['log_index'])
  return vi.waitFor(
    async () => {
      const { size } = claimedCheckpoint(await checkpointOf(server))
      expect(size).toBeGreaterThan(index)
      return size
    },
    { timeout: 10_000 },
  )
}

async function checkpointOf(server: TestServer): Promise<Uint8Array> {
  const headers = { authorization: `Bearer ${secrets.adminKey}` }
  const response = await fetch(`${server.api}/log/checkpoint`, { headers })
  expect(response.status).toBe(200)
  return new Uint8Array(await response.arrayBuffer())
}

const witness = (server: TestServer, more: readonly string[] = []) =>
  bench.run(
    [
      ...['ledger', 'witness', '--once', '--log-key', logKey, '--name', 'witness.example/w1'],
      ...['--key-file', 'witness.key', '--state', 'seen.note', ...more],
    ],
    { env: env(server) },
  )

beforeAll(async () => {
  folder = await temporaryFolder()
  bench.write('witness.key', '4d'.repeat(32))
  await during('kernel', async (server) => {
    yesterday = await record(server, 20, 'day.one')
    const keys = (await (await fetch(`${server.api}/api/v1/keys`)).json()) as {
      keys: readonly { log_vkey: string; public_key: string }[]
    }
    logKey = keys.keys[0]?.log_vkey ?? ''
    publicKey = keys.keys[0]?.public_key ?? ''
    expect((await witness(server)).code).toBe(0)
  })
  await copy('kernel', 'yesterday')
  await during('kernel', async (server) => {
    today = await record(server, 20, 'day.two')
    expect((await witness(server)).code).toBe(0)
    bench.write('today.note', await checkpointOf(server))
    const [newest] = (await server.receipts('decision')).slice(-1)
    bench.write(
      'receipt.json',
      JSON.stringify(await server.receipt(String(newest?.['receipt_id']))),
    )
    const pack = ['evidence', 'export', '--out', 'pack.tar', '--from', '1', '--to', '30']
    expect((await bench.run(pack, { env: env(server) })).code).toBe(0)
  })
  bench.write('pack.note', membersOf(bench.read('pack.tar')).get('log/checkpoint') ?? '')
  seen = bench.read('seen.note')
})
afterAll(async () => {
  bench.remove()
  await fs.rm(folder, { recursive: true })
})

/** Everything in it, of which some has to be seen. */
async function shouted(server: TestServer, code: string, more?: readonly string[]): Promise<void> {
  const outcome = await witness(server, more)
  expect(outcome).toMatchObject({ code: 1, stdout: '' })
  expect(outcome.stderr).toContain(`error ${code}: `)
  expect(outcome.stderr).toContain('it was not cosigned, and seen.note is as it was')
  expect(outcome.stderr).toMatch(/\nseen:\n {2}\S[^]*\nshown:\n {2}\S/)
  expect(bench.read('seen.note')).toEqual(seen)
}

describe('a witness shouts, and keeps what it has seen, at a kernel that', () => {
  it('was put back to yesterday', async () => {
    await copy('yesterday', 'cut')
    await during('cut', (server) => shouted(server, 'LOG_ROLLED_BACK'))
  })

  it('was put back to yesterday and has more receipts by now, others', async () => {
    await copy('yesterday', 'rewritten')
    await during('rewritten', async (server) => {
      expect(await record(server, 40, 'history.rewritten')).toBeGreaterThan(today)
      await shouted(server, 'LOG_FORKED')
    })
  })

  it('was put back to yesterday and has as many receipts by now, others', async () => {
    await copy('yesterday', 'equal')
    await during('equal', async (server) => {
      expect(await record(server, today - yesterday, 'history.rewritten')).toBe(today)
      await shouted(server, 'LOG_EQUIVOCATED')
    })
  })

  it('has a twin, made of one directory, to which other callers are sent', async () => {
    await copy('kernel', 'twin')
    await copy('kernel', 'other-twin')
    const size = await during('twin', async (server) => {
      const grown = await record(server, 3, 'told.to.one')
      expect((await witness(server)).code).toBe(0)
      return grown
    })
    const before = seen
    seen = bench.read('seen.note')
    await during('other-twin', async (server) => {
      expect(await record(server, 3, 'told.to.another')).toBe(size)
      await shouted(server, 'LOG_EQUIVOCATED')
      await record(server, 3, 'told.to.another')
      await shouted(server, 'LOG_FORKED')
    })
    seen = before
    bench.write('seen.note', before)
  })

  it('began anew with the same key', async () => {
    await during('anew', async (server) => {
      await record(server, 1, 'history.none')
      await shouted(server, 'LOG_ROLLED_BACK')
      await record(server, today, 'history.none')
      await shouted(server, 'LOG_FORKED')
    })
  })

  it('began anew under another name', async () => {
    const more = { HELM_LOG_ORIGIN: 'another.example/log' }
    const work = async (server: TestServer) => {
      await record(server, today, 'x')
      await shouted(server, 'LOG_FOREIGN')
    }
    await during('renamed', work, more)
  })

  it('began anew under the same name with another key', async () => {
    const origin = logKey.split('+')[0] ?? ''
    const more = { HELM_LOG_ORIGIN: origin, HELM_SIGNING_KEY: '43'.repeat(32) }
    await during(
      'rekeyed',
      async (server) => {
        await record(server, today, 'x')
        await shouted(server, 'KEY_UNTRUSTED')
      },
      more,
    )
  })

  it('and goes on, when the true history is shown again', async () => {
    await copy('kernel', 'true')
    await during('true', async (server) => {
      await record(server, 1, 'day.three')
      expect(await witness(server)).toMatchObject({ code: 0 })
    })
    bench.write('seen.note', seen)
  })
})

describe('a data directory of yesterday, restored', () => {
  const verify = (...more: readonly string[]) =>
    bench.run(['ledger', 'verify', '--data-dir', at('yesterday'), ...more])

  it('is whole in itself: from within it is what a ledger of yesterday was', async () => {
    expect((await verify('--key', publicKey)).code).toBe(0)
    await copy('yesterday', 'restored')
    await during('restored', async (server) => {
      expect((await server.receipts('decision')).length).toBe(20)
    })
  })

  it.each([
    ['a checkpoint', '--checkpoint', 'today.note'],
    ['what a witness keeps', '--checkpoint', 'seen.note'],
    ['the checkpoint of an evidence pack', '--checkpoint', 'pack.note'],
  ])(
    'fails against %s that was kept outside, which says what is missing',
    async (_, flag, file) => {
      const { code, stdout } = await verify(flag, file)
      expect(code).toBe(1)
      expect(stdout).toMatch(new RegExp(`${file}.*${today}`))
      expect(stdout).toMatch(new RegExp(`${yesterday}`))
      expect(stdout).not.toContain(folder)
    },
  )

  it('fails against a receipt that somebody holds, by its name', async () => {
    const { code, stdout } = await verify('--receipt', 'receipt.json')
    expect(code).toBe(1)
    const { receipt_id: id } = JSON.parse(bench.text('receipt.json')) as { receipt_id: string }
    expect(stdout).toContain(id)
  })

  it('is not put past ledger prove --from either, and the true one is', async () => {
    const from = ['ledger', 'prove', '--from', 'today.note', '--log-key', logKey]
    const restored = await bench.run([...from, '--data-dir', at('yesterday')])
    expect(restored.code).toBe(1)
    expect(restored.stdout).toContain('entries are gone')
    expect((await bench.run([...from, '--data-dir', at('kernel')])).code).toBe(0)
  })
})
