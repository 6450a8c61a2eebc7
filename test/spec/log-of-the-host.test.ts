import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeHex } from '@helm-ai-kernel/core'
import { cliBench } from '../support/cli.ts'
import { secrets, startServer, temporaryFolder, type TestServer } from '../support/server.ts'

const bench = cliBench()
let folder: string
let server: TestServer
let receiptId: string
const env = () => ({ HELM_URL: server.api, HELM_API_KEY: secrets.adminKey })

beforeAll(async () => {
  folder = await temporaryFolder()
  server = await startServer(folder, {})
  receiptId = (await server.evaluate()).receipt_id
  for (let i = 0; i < 260; i++) await server.evaluate()
})
afterAll(async () => {
  await server.close()
  bench.remove()
  await rm(folder, { recursive: true })
})

const logKey = async () => {
  const response = await fetch(`${server.api}/api/v1/keys`)
  const { keys } = (await response.json()) as { keys: readonly { log_vkey: string }[] }
  return keys.at(-1)?.log_vkey ?? expect.unreachable()
}

describe('the log of a whole server', () => {
  it('proves a receipt, which is then checked with nothing but the key', async () => {
    const args = ['ledger', 'prove', receiptId, '--out', 'receipt.tlog-proof']
    expect((await bench.run(args, { env: env() })).code).toBe(0)
    bench.write('receipt.json', JSON.stringify(await server.receipt(receiptId)))
    const key = ['--log-key', await logKey()]
    const check = ['ledger', 'prove', '--check', 'receipt.tlog-proof', '--entry', 'receipt.json']
    expect((await bench.run([...check, ...key])).code).toBe(0)
  })

  it('is witnessed from outside as it grows', async () => {
    bench.write('witness.key', encodeHex(new Uint8Array(32).fill(3)))
    const args = ['ledger', 'witness', '--once', '--log-key', await logKey(), '--name', 'w1']
    const files = ['--key-file', 'witness.key', '--state', 'seen.note']
    expect((await bench.run([...args, ...files], { env: env() })).code).toBe(0)
    const more = (await server.evaluate()).receipt_id
    expect((await bench.run(['ledger', 'prove', more], { env: env() })).code).toBe(0)
    const { code, stdout } = await bench.run([...args, ...files], { env: env() })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^cosigned \d+ entries of \S+, since \d+\n$/)
    const from = ['ledger', 'prove', '--from', 'seen.note', '--data-dir', folder]
    expect((await bench.run(from)).code).toBe(0)
  })
})
