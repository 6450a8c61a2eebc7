import { beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '@helm-ai-kernel/core'
import {
  claimedCheckpoint,
  decodeEntries,
  fetchedTiles,
  leafHash,
  openCheckpoint,
  parseProof,
  rootOfTiles,
  verifyInclusion,
} from '@helm-ai-kernel/core/log'
import { receiptIdOf } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { bearer, keys, problemOf, testApp, type TestApp } from '../support/http.ts'
import { kernelSigner } from '../support/kernel.ts'
import { logOrigin, publishedLog, type PublishedLog } from '../support/published.ts'

const logKey = { origin: logOrigin, publicKey: kernelSigner.log.publicKey }

interface LogApp extends TestApp {
  readonly log: PublishedLog
}

async function logApp(logPublic = false): Promise<LogApp> {
  const store = memoryStore()
  const log = publishedLog(store)
  return { ...(await testApp({ log, logPublic }, { store })), log }
}

const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())
const get = (path: string, key: string = keys.agent, { call } = made) =>
  call(path, { headers: bearer(key) })
const anonymous = (path: string, { app } = made) =>
  app.fetch(new Request(`http://localhost:8080${path}`))
const decide = async ({ evaluate }: TestApp) =>
  String((await evaluate({ action: 'ticket.read' }))['receipt_id'])

/** A log of more than one tile, of which the newest receipt is in no checkpoint. */
let made: LogApp
let ids: readonly string[]
let size: number

beforeAll(async () => {
  made = await logApp()
  const found: string[] = []
  for (let i = 0; i < 300; i++) found.push(await decide(made))
  ids = found
  size = (await made.store.state()).size - 1
  await made.log.publish(size)
})

describe('the checkpoint', () => {
  it('is the signed note, byte for byte, and is not kept by caches', async () => {
    const response = await get('/log/checkpoint')
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const note = await bytesOf(response)
    expect(note).toEqual(await made.log.checkpoint())
    expect(openCheckpoint(note, logKey, crypto).size).toBe(size)
  })

  it('is 404 before the first, and so is everything else', async () => {
    const before = await logApp()
    const id = await decide(before)
    for (const path of ['checkpoint', 'tile/0/000.p/1', `proof/${id}`]) {
      const response = await get(`/log/${path}`, keys.agent, before)
      expect(response.headers.get('retry-after')).toBe('1')
      expect(await problemOf(response)).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    }
  })
})

describe('a hash tile', () => {
  it('has the leaf hashes, and may be kept for ever by who may see it', async () => {
    const response = await get('/log/tile/0/000')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'cache-control': 'private, max-age=31536000, immutable',
      vary: 'authorization',
    })
    const hashes = await bytesOf(response)
    const entries = await made.store.read(0, 256)
    expect(hashes.length).toBe(256 * 32)
    for (const [i, { entry }] of entries.entries()) {
      expect(hashes.subarray(i * 32, i * 32 + 32)).toEqual(leafHash(crypto, entry))
    }
  })

  it('leads with the others to the root of the checkpoint', async () => {
    const tiles = fetchedTiles(async (path) => {
      const response = await get(`/log/${path}`)
      return response.status === 200 ? bytesOf(response) : undefined
    })
    const note = (await tiles.checkpoint()) ?? expect.unreachable()
    const { root } = claimedCheckpoint(note)
    expect(await rootOfTiles(crypto, tiles, size)).toEqual(root)
  })

  it('is served as wide as any earlier checkpoint had it', async () => {
    const full = await bytesOf(await get('/log/tile/0/000'))
    for (const width of [1, 7, 255]) {
      const partial = await get(`/log/tile/0/000.p/${width}`)
      expect(await bytesOf(partial)).toEqual(full.subarray(0, width * 32))
    }
    expect((await get(`/log/tile/0/001.p/${size - 256}`)).status).toBe(200)
    expect((await get('/log/tile/1/000.p/1')).status).toBe(200)
  })

  it('that no checkpoint covers is 404, also where its entries are recorded', async () => {
    expect((await made.store.state()).size).toBeGreaterThan(size)
    const beyond = [
      `0/001.p/${size - 256 + 1}`,
      '0/001',
      '0/002.p/1',
      '1/000.p/2',
      '1/000',
      '2/000.p/1',
      '63/000.p/1',
      `entries/001.p/${size - 256 + 1}`,
    ]
    for (const path of beyond) {
      const response = await get(`/log/tile/${path}`, keys.admin)
      expect(response.headers.get('cache-control'), path).toBe('no-store')
      expect(await problemOf(response), path).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    }
  })

  it.each([
    '',
    '/',
    '/0',
    '/0/',
    '/0/0',
    '/0/000/',
    '/0/000.p/0',
    '/0/000.p/256',
    '/0/000.p/01',
    '/0/x000/000',
    '/64/000',
    '/8/0/000',
    '/0/%30%30%30',
    '/leaves/000',
    '/0/x009/x007/x199/x254/x740/992',
  ])('is not at %j', async (path) => {
    expect((await get(`/log/tile${path}`)).status).toBe(404)
  })
})

describe('a bundle of entries', () => {
  it('is of every scope, for audit and the admin alone', async () => {
    for (const key of [keys.auditor, keys.admin]) {
      const response = await get('/log/tile/entries/000', key)
      expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
      const entries = decodeEntries(await bytesOf(response))
      expect(entries).toEqual((await made.store.read(0, 256)).map(({ entry }) => entry))
    }
    for (const key of [keys.agent, keys.reader, keys.other]) {
      expect((await get('/log/tile/entries/000', key)).status).toBe(403)
    }
  })

  it('is not to be had by another spelling of its path', async () => {
    for (const path of ['%65ntries/000', 'x/../entries/000', './entries/000', '0/../entries/000']) {
      expect([403, 404], path).toContain((await get(`/log/tile/${path}`)).status)
    }
  })
})

describe('a public log', () => {
  it('gives checkpoint and hash tiles to anyone, for caches between', async () => {
    const open = await logApp(true)
    await open.log.publish()
    expect((await anonymous('/log/checkpoint', open)).status).toBe(200)
    const tile = await anonymous('/log/tile/0/000.p/1', open)
    expect(tile.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(tile.headers.get('vary')).toBeNull()
    const id = await decide(open)
    for (const path of ['tile/entries/000.p/1', 'tile/%65ntries/000.p/1', `proof/${id}`]) {
      expect([401, 404], path).toContain((await anonymous(`/log/${path}`, open)).status)
    }
  })

  it('lets so many in at one moment, and tells the rest to come again', async () => {
    const open = await logApp(true)
    await open.log.publish()
    const path = '/log/tile/0/000.p/1'
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => (await anonymous(path, open)).status),
    )
    expect(answers.filter((status) => status === 200)).toHaveLength(64)
    expect(answers.filter((status) => status === 503)).toHaveLength(36)
    expect((await anonymous(path, open)).status).toBe(200)
  })

  it('is not what a log is by default', async () => {
    for (const path of ['checkpoint', 'tile/0/000', 'tile/entries/000', 'proof/x']) {
      expect((await anonymous(`/log/${path}`)).status).toBe(401)
      expect((await get(`/log/${path}`, keys.expired)).status).toBe(401)
    }
  })
})

describe('a proof', () => {
  it('is a tlog-proof file that shows a receipt in the newest checkpoint', async () => {
    for (const id of [ids[0], ids[200], ids[298]]) {
      const response = await get(`/log/proof/${id}`)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'text/plain; charset=utf-8',
        'content-disposition': `attachment; filename="${id}.tlog-proof"`,
        'cache-control': 'no-store',
      })
      const { index, hashes, checkpoint } = parseProof(await bytesOf(response))
      const { size, root } = openCheckpoint(checkpoint, logKey, crypto)
      const [stored] = await made.store.read(index, index + 1)
      const entry = stored?.entry ?? expect.unreachable()
      expect(receiptIdOf(crypto.sha256(entry))).toBe(id)
      const claim = { leafHash: leafHash(crypto, entry), index, size, root }
      expect(verifyInclusion(crypto, claim, hashes)).toBe(true)
    }
  })

  it('of a receipt that no checkpoint covers yet is to be asked for again', async () => {
    const response = await get(`/log/proof/${ids[299]}`)
    expect(response.headers.get('retry-after')).toBe('1')
    const { status, detail } = await problemOf(response)
    expect(status).toBe(404)
    expect(detail).toMatch(/newer than the newest checkpoint.*try again/)
  })

  it('of another scope’s receipt is 404, as of one that is not there', async () => {
    const unknown = `rcpt-${'0'.repeat(64)}`
    const [foreign, absent] = await Promise.all([
      get(`/log/proof/${ids[0]}`, keys.other).then(problemOf),
      get(`/log/proof/${unknown}`, keys.agent).then(problemOf),
    ])
    expect(foreign).toEqual(absent)
    expect(foreign.status).toBe(404)
    expect((await get('/log/proof/rcpt-1')).status).toBe(404)
    expect((await get(`/log/proof/${ids[0]}`, keys.auditor)).status).toBe(403)
  })

  it('is never given out when tiles and entry disagree', async () => {
    const store = memoryStore()
    const log = publishedLog(store)
    const other = async (tile: Parameters<typeof log.tile>[0]) =>
      (await log.tile(tile))?.map((byte) => byte ^ 1)
    const app = await testApp({ log: { ...log, tile: other } }, { store })
    const id = await decide(app)
    await log.publish()
    const response = await app.call(`/log/proof/${id}`)
    expect(await problemOf(response)).toMatchObject({ status: 503, code: 'LEDGER_CORRUPT' })
  })
})
