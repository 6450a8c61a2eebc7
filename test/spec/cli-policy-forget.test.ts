import { join } from 'node:path'
import { encodeHex, createKernel, noTrust, signer, type TrustRoot } from '@helm-ai-kernel/core'
import { fileKeep, hostClock, hostRandom, nodeCrypto, nodeDisk } from '@helm-ai-kernel/host'
import { openLedger } from '@helm-ai-kernel/ledger'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bench, cliBench } from '../support/cli.ts'
import { type SignedBundle, signedBundle, trust } from '../support/kernel.ts'
import { memoryLock } from '../support/memory-lock.ts'

const seed = new Uint8Array(32).fill(5)
const own = signer(seed, nodeCrypto)
const unsigned = (): SignedBundle => ({ ...signedBundle(1), signature: new Uint8Array() })
let bench: Bench

beforeEach(() => {
  bench = cliBench()
  bench.write('receipt.key', encodeHex(seed))
})
afterEach(() => bench.remove())

/** A kernel's life on the data directory, in which this is installed. */
async function install(by: TrustRoot, { bytes, signature }: SignedBundle): Promise<string> {
  const disk = nodeDisk(join(bench.folder, 'data'))
  const host = { clock: hostClock, random: hostRandom, crypto: nodeCrypto }
  const who = { pid: 1, host: 'test', since: '2026-11-22T06:00:00.000Z' }
  const ledger = await openLedger({ ...host, disk, lock: memoryLock(), who, log: own.log })
  try {
    const kernel = createKernel({
      ...host,
      trust: by,
      store: ledger,
      signer: own,
      keep: fileKeep(disk),
    })
    const given = signature.length === 0 ? undefined : signature
    return (await kernel.install(bytes, given)).status
  } finally {
    await ledger.close()
  }
}

const forget = (...args: string[]) =>
  bench.run(['policy', 'forget', '--data-dir', 'data', ...args], {
    env: { HELM_SIGNING_KEY_FILE: 'receipt.key' },
  })

describe('policy forget', () => {
  it('lets unsigned policy follow signed policy, and the ledger still verifies', async () => {
    await install(trust, signedBundle(7))
    await expect(install(noTrust, unsigned())).rejects.toThrow('this scope had signed policy')
    expect(await forget()).toEqual({
      code: 0,
      stdout: 'default/default may have unsigned policy again\n',
      stderr: '',
    })
    expect(await install(noTrust, unsigned())).toBe('activated')
    const verified = await bench.run(['ledger', 'verify', '--data-dir', 'data'])
    expect(verified.stdout).toContain('PASS')
    expect(verified.code).toBe(0)
  })

  it('has nothing to do in a scope that never had signed policy', async () => {
    await install(trust, signedBundle(7))
    const { code, stderr } = await forget('--scope', 'acme/prod')
    expect(code).toBe(2)
    expect(stderr).toContain('acme/prod never had signed policy')
  })

  it('makes no ledger and no key where there is none', async () => {
    const none = await forget()
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('LEDGER_MISSING')
    await install(trust, signedBundle(7))
    const { code, stderr } = await bench.run(['policy', 'forget', '--data-dir', 'data'])
    expect(code).toBe(2)
    expect(stderr).toContain('receipt.key does not exist')
  })

  it('is not for whoever holds another key', async () => {
    await install(trust, signedBundle(7))
    bench.write('other.key', encodeHex(new Uint8Array(32).fill(6)))
    const { code, stderr } = await forget('--signing-key-file', 'other.key')
    expect(code).toBe(2)
    expect(stderr).toContain('KEY_CHANGED')
  })
})
