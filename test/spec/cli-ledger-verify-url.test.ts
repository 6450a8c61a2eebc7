import { join } from 'node:path'
import { decodeHex, encodeHex, encodeUtf8, nobleCrypto, signer } from '@helm-ai-kernel/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { cliBench } from '../support/cli.ts'
import { secrets, startServer, type TestServer } from '../support/server.ts'

// `ledger verify` of a running kernel: from what it serves below /log/, whatever its storage is.

const bench = cliBench()
afterAll(bench.remove)

const own = signer(decodeHex(secrets.seed, 32, 'seed'), nobleCrypto)
const readKey = 'helm_reads-and-audits-nothing'
let server: TestServer
beforeAll(async () => {
  const entry = {
    name: 'reader',
    tenant_id: 'default',
    workspace_id: 'default',
    principal: 'user:r',
  }
  const key_sha256 = encodeHex(nobleCrypto.sha256(encodeUtf8(readKey)))
  bench.write('keys.json', JSON.stringify([{ ...entry, key_sha256, roles: ['read'] }]))
  server = await startServer(join(bench.folder, 'data'), {
    HELM_API_KEYS_FILE: join(bench.folder, 'keys.json'),
  })
  await Promise.all(Array.from({ length: 290 }, () => server.evaluate()))
  bench.write('early.note', await checkpoint())
  await server.evaluate()
  await vi.waitFor(async () => expect(await checkpoint()).not.toBe(bench.text('early.note')), {
    timeout: 5000,
  })
})
afterAll(() => server.close())

async function checkpoint(): Promise<string> {
  const headers = { authorization: `Bearer ${secrets.adminKey}` }
  return (await fetch(`${server.api}/log/checkpoint`, { headers })).text()
}

const verify = (...args: readonly string[]) =>
  bench.run(['ledger', 'verify', '--url', server.api, ...args], {
    env: { HELM_API_KEY: secrets.adminKey },
  })

describe('ledger verify --url', () => {
  it('passes, with the checkpoint of the kernel and one that was kept outside', async () => {
    const key = encodeHex(own.publicKey)
    const { code, stdout, stderr } = await verify(
      '--checkpoint',
      'early.note',
      '--key',
      key,
      '--json',
    )
    expect([code, stderr], stdout).toEqual([0, ''])
    const { verdict, checks, tree } = JSON.parse(stdout) as Answer
    expect(verdict).toBe('PASS')
    expect(tree.size).toBeGreaterThan(290)
    const passed = checks.filter(({ status }) => status === 'pass').map(({ name }) => name)
    expect(passed).toEqual(
      expect.arrayContaining(['signatures', 'chain', 'key_pinned', 'checkpoint', 'early.note']),
    )
  })

  it('fails under another key', async () => {
    const { code, stdout } = await verify(
      '--key',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    )
    expect(code).toBe(1)
    expect(stdout).toContain('FAIL')
  })

  it('is refused to a key that may not read all entries', async () => {
    const { code, stderr } = await bench.run(['ledger', 'verify', '--url', server.api], {
      env: { HELM_API_KEY: readKey },
    })
    expect(code).toBe(2)
    expect(stderr).toContain('AUTH_FORBIDDEN')
  })

  it('is of files or of a kernel', async () => {
    const { code, stderr } = await verify('--data-dir', '.')
    expect(code).toBe(2)
    expect(stderr).toContain('--data-dir or --url')
  })
})

interface Answer {
  readonly verdict: string
  readonly checks: readonly { readonly name: string; readonly status: string }[]
  readonly tree: { readonly size: number }
}
