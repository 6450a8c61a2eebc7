import { ledgerFiles } from '../support/ledger.ts'
import { acme, decision } from '../support/log-entries.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createKernel,
  type Kernel,
  type Ledger,
  type Lock,
  type ReceiptId,
} from '@helm-ai-kernel/core'
import type { AuditResult } from '@helm-ai-kernel/core/receipt'
import { openLedger, verifyLedger, type VerifyOptions } from '@helm-ai-kernel/ledger'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { fakeClock } from '../support/clock.ts'
import { kernelSigner as signer, seededRandom, signedBundle, trust } from '../support/kernel.ts'
import { type Files, memoryDisk } from '../support/memory-disk.ts'

const segment = 'ledger/wal/0000000000000000'
const lock: Lock = {
  acquire: async () => ({ check: async () => undefined, release: async () => undefined }),
}

async function open(disk = memoryDisk()): Promise<Ledger> {
  const who = { pid: 1, host: 'test', since: '' }
  const [clock, random] = [fakeClock(), seededRandom()]
  return openLedger({ disk, lock, who, clock, random, crypto, log: signer.log })
}

async function kernelOn(store: Ledger): Promise<Kernel> {
  const options = { trust, store, signer, clock: fakeClock(), random: seededRandom(), crypto }
  const kernel = createKernel(options)
  const { bytes, signature } = signedBundle()
  await kernel.install(bytes, signature)
  return kernel
}

async function decideSome(kernel: Kernel, count: number): Promise<readonly ReceiptId[]> {
  const request = { principal: 'agent:a', action: 'ticket.read' }
  const deciding = Array.from({ length: count }, () => kernel.decide(request))
  const answers = await Promise.all(deciding)
  return answers.flatMap(({ receipt }) => (receipt === undefined ? [] : [receipt.receiptId]))
}

function verify(files: Files, options: Partial<VerifyOptions> = {}): Promise<AuditResult> {
  return verifyLedger(memoryDisk(files), { crypto, ...options })
}

function failures({ checks }: AuditResult): readonly string[] {
  return checks.filter(({ status }) => status === 'fail').map(({ name }) => name)
}

function detail({ checks }: AuditResult, name: string): string {
  return checks.find((check) => check.name === name)?.detail ?? ''
}

let files: Files
let ids: readonly ReceiptId[]

beforeAll(async () => {
  const disk = memoryDisk()
  const ledger = await open(disk)
  ids = await decideSome(await kernelOn(ledger), 5)
  await ledger.close()
  files = disk.files()
})

function changed(path: string, change: (bytes: Uint8Array) => Uint8Array): Files {
  return new Map(files).set(path, change(files.get(path)?.slice() ?? new Uint8Array()))
}

function flipped(path: string, at: number): Files {
  return changed(path, (bytes) => bytes.with(at, (bytes[at] ?? 0) ^ 1))
}

function without(path: string): Files {
  return new Map([...files].filter(([name]) => name !== path))
}

describe('a ledger that was closed', () => {
  it('passes with its own tip and checkpoint as heads', async () => {
    const result = await verify(files, { pinnedKeys: [signer.publicKey] })
    expect(failures(result)).toEqual([])
    expect(result.verdict).toBe('PASS')
    expect(result.counts).toEqual({
      entries: 7,
      scopes: 2,
      kinds: { key: 1, activation: 1, decision: 5 },
      unresolved: 0,
    })
    expect(result.checks.map(({ name }) => name)).toEqual([
      'files',
      'state',
      'entries',
      'chain',
      'opening',
      'time',
      'keys',
      'signatures',
      'key_pinned',
      'policy_order',
      'tip_0',
      'tip_1',
      'checkpoint',
      'receipts',
      'outcomes',
    ])
  })

  it('tells how far it is', async () => {
    const told: (readonly [number, number])[] = []
    const long = await ledgerFiles(Array.from({ length: 299 }, () => decision(acme, null)))
    await verify(long, { progress: (entries, atLeast) => told.push([entries, atLeast]) })
    expect(told).toEqual([
      [256, 300],
      [300, 300],
    ])
  })

  it('holds receipts and checkpoints from outside against the log', async () => {
    const note = files.get('ledger/checkpoint') ?? new Uint8Array()
    const mine = { receipts: ids, checkpoints: [{ name: 'mine', note }] }
    expect((await verify(files, mine)).verdict).toBe('PASS')
    const disk = memoryDisk()
    const other = await open(disk)
    await decideSome(await kernelOn(other), 1)
    await other.close()
    expect(failures(await verify(disk.files(), mine))).toEqual(['mine', 'receipts'])
  })
})

describe('a ledger whose files were changed', () => {
  it('fails at any flipped bit of its entries, its checkpoint and its tip', async () => {
    const size = files.get(segment)?.length ?? 0
    for (let at = 0; at < size; at += 41) {
      expect((await verify(flipped(segment, at))).verdict, `byte ${at}`).toBe('FAIL')
    }
    for (const path of ['ledger/checkpoint', 'ledger/tip', 'ledger/origin']) {
      const length = new TextDecoder().decode(files.get(path)).replace(/\0.*/s, '').length
      for (let at = 0; at < length; at += 7) {
        expect((await verify(flipped(path, at))).verdict, `${path} byte ${at}`).toBe('FAIL')
      }
    }
  })

  it('names the file and the place of a damaged frame', async () => {
    const result = await verify(flipped(segment, 2000))
    expect(detail(result, 'files')).toMatch(/^ledger\/wal\/0{16} has damaged bytes at byte \d+/)
  })

  it('fails when its end is cut off', async () => {
    const cut = changed(segment, (bytes) => bytes.slice(0, -10))
    const result = await verify(cut)
    expect(failures(result)).toEqual(['checkpoint'])
    expect(detail(result, 'checkpoint')).toContain('7 entries, the log has 6')
  })

  it.each([segment, 'ledger/checkpoint', 'ledger/tip', 'ledger/origin'])(
    'fails without %s',
    async (path) => {
      expect((await verify(without(path))).verdict).toBe('FAIL')
    },
  )

  it('says that there is none where there is none', async () => {
    await expect(verify(new Map())).rejects.toMatchObject({ code: 'LEDGER_MISSING' })
  })
})

describe('a ledger that is in use', () => {
  it('passes while entries are appended, more of them each time', async () => {
    const disk = memoryDisk()
    const ledger = await open(disk)
    const kernel = await kernelOn(ledger)
    const sizes: number[] = []
    for (let round = 0; round < 8; round++) {
      const deciding = decideSome(kernel, 5)
      const result = await verifyLedger(disk, { crypto })
      expect(failures(result)).toEqual([])
      sizes.push(result.counts.entries)
      await deciding
    }
    await ledger.close()
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
    expect(sizes.at(-1)).toBeGreaterThanOrEqual(2 + 7 * 5)
  })

  it('passes as a killed process left it, and says what never ended', async () => {
    const disk = memoryDisk()
    const ledger = await open(disk)
    await decideSome(await kernelOn(ledger), 3)
    const left = new Map(disk.files())
    const bytes = left.get(segment) ?? new Uint8Array()
    left.set(segment, bytes.slice(0, -10))
    const result = await verify(left)
    expect(result.verdict).toBe('PASS')
    expect(detail(result, 'files')).toContain('as in a write that never ended')
    await ledger.close()
  })
})
