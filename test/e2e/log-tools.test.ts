import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeUtf8 } from '@helm-ai-kernel/core'
import {
  claimedCheckpoint,
  cosignerOf,
  fetchedTiles,
  formatVerifierKey,
  tilePath,
  tileWidthAt,
  witness,
} from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { logTools } from '../log-tools/build.ts'
import { bearer, keys } from '../support/http.ts'
import { kernelSigner } from '../support/kernel.ts'
import { type LogServer, logServer, logVkey } from '../support/log-server.ts'
import { logOrigin } from '../support/published.ts'

const tools = await logTools()
if ('missing' in tools) console.log(`skipped: ${tools.missing}`)

interface Verdict {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

describe.skipIf('missing' in tools)('a log of ours, verified by code that is not ours', () => {
  const self = {
    crypto,
    signer: crypto.signer(new Uint8Array(32).fill(77)),
    name: 'witness.example/w1',
    origin: logOrigin,
    logKeys: [kernelSigner.log.publicKey],
  }
  const witnessVkey = formatVerifierKey(cosignerOf(self), crypto)
  let server: LogServer
  let folder: string

  beforeAll(async () => {
    server = await logServer()
    folder = await fs.mkdtemp(join(tmpdir(), 'helm-log-tools-'))
    const [first = ''] = await server.decide(300)
    const early = await server.log.publish(260)
    const offer = { last: undefined, next: early, tiles: server.log, time: 1_790_000_000 }
    await put('cosigned', (await witness(self, offer)).note)
    await server.log.publish()
    await download(first)
  }, 300_000)
  afterAll(async () => {
    server.close()
    await fs.rm(folder, { recursive: true })
  })

  /** All that the log serves over HTTP, as it serves it, and the proof of one receipt. */
  async function download(receiptId: string): Promise<void> {
    const tiles = fetchedTiles((path) => get(`/log/${path}`))
    const checkpoint = await get('/log/checkpoint')
    await put('checkpoint', checkpoint)
    const { size } = claimedCheckpoint(checkpoint)
    for (const level of ['entries', 0, 1] as const) {
      for (let index = 0; tileWidthAt(size, level, index) > 0; index++) {
        const tile = { level, index, width: tileWidthAt(size, level, index) }
        await put(tilePath(tile), (await tiles.tile(tile)) ?? expect.unreachable())
      }
    }
    const response = await server.call(`/api/v1/receipts/${receiptId}`)
    const { entry } = (await response.json()) as { readonly entry: unknown }
    await put('receipt', encodeUtf8(JSON.stringify(entry)))
    await put('receipt.tlog-proof', await get(`/log/proof/${receiptId}`))
  }

  async function get(path: string): Promise<Uint8Array> {
    const response = await fetch(server.url + path, { headers: bearer(keys.admin) })
    expect(response.status, path).toBe(200)
    return new Uint8Array(await response.arrayBuffer())
  }

  async function put(path: string, bytes: Uint8Array): Promise<void> {
    const full = join(folder, path)
    await fs.mkdir(dirname(full), { recursive: true })
    await fs.writeFile(full, bytes)
  }

  function verify(logKey = logVkey, witnessKey = witnessVkey): Promise<Verdict> {
    const path = 'path' in tools ? tools.path : ''
    return new Promise((resolve) => {
      execFile(path, [folder, logKey, witnessKey], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
      })
    })
  }

  it('is whole: checkpoint, tiles, entries, consistency, cosignature and tlog-proof', async () => {
    const { code, stdout, stderr } = await verify()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'checkpoint of 302 entries',
      'every entry is in the tree',
      'consistent with the first 260',
      'cosigned by witness.example/w1',
      'the receipt is entry 2',
      '',
    ])
  })

  it.each([
    ['the checkpoint', 'checkpoint', /^checkpoint: /],
    ['the cosigned checkpoint', 'cosigned', /^checkpoint: /],
    ['a full hash tile', 'tile/0/000', /downloaded inconsistent tile/],
    ['a partial hash tile', 'tile/0/001.p/46', /downloaded inconsistent tile/],
    ['the tile above', 'tile/1/000.p/1', /downloaded inconsistent tile/],
    ['a bundle of entries', 'tile/entries/000', /^entry \d+: |cut off/],
    ['the partial bundle', 'tile/entries/001.p/46', /^entry \d+: |cut off/],
    ['the proof', 'receipt.tlog-proof', /^proof: |^checkpoint: /],
    ['the receipt', 'receipt', /^proof: /],
  ])('is refused with one byte of %s changed', async (_, path, message) => {
    const whole = new Uint8Array(await fs.readFile(join(folder, path)))
    for (const at of [0, whole.length >> 1, whole.length - 2]) {
      await put(path, whole.with(at, (whole[at] ?? 0) ^ 1))
      const { code, stderr } = await verify()
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(message) as string,
      })
    }
    await put(path, whole)
    expect((await verify()).code).toBe(0)
  })

  it('is refused under the key of another', async () => {
    const publicKey = self.signer.publicKey
    const stranger = formatVerifierKey({ name: logOrigin, publicKey }, crypto)
    expect((await verify(stranger)).stderr).toMatch(/^checkpoint: /)
    const other = formatVerifierKey({ ...cosignerOf(self), name: 'witness.example/w2' }, crypto)
    expect((await verify(logVkey, other)).stderr).toMatch(/^checkpoint: /)
  })
})
