import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  canonical,
  digest,
  encodeHex,
  KernelError,
  parseTrustRoot,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { readTrustRoot, watchTrustRoot } from '../../packages/host/src/trust-watch.ts'
import { fakeClock } from '../support/clock.ts'
import { kubelet } from '../support/kubelet.ts'

let folder: string
let ended: AbortController

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-trust-'))
  ended = new AbortController()
})

afterEach(async () => {
  ended.abort()
  await fs.rm(folder, { recursive: true, force: true })
})

const path = () => join(folder, 'trust.json')
const put = (content: string) => fs.writeFile(path(), content)

function rootText(version: number): string {
  const { keyId, publicKey } = crypto.signer(new Uint8Array(32).fill(version))
  const keys = [{ key_id: keyId, public_key: encodeHex(publicKey), scopes: ['*'] }]
  return canonical({ type: 'helm.trust-root/v1', version, threshold: 1, keys })
}

const digestOf = (text: string) => digest(crypto, new TextEncoder().encode(text))

/** A watch over the file, that holds what it applied as the kernel would, and what it logged. */
function watch(options: { readonly applied?: string; readonly interval?: number } = {}) {
  const { applied: before, interval } = options
  const clock = fakeClock()
  const versions: number[] = []
  const lines: string[] = []
  const say = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  const apply = vi.fn(async ({ version }: TrustRoot) => {
    const [current = 0] = versions.slice(-1)
    if (version < current) throw new KernelError('TRUST_ROOT_ROLLBACK', `below ${current}`)
    versions.push(version)
  })
  const { check, fault } = watchTrustRoot(
    {
      path: path(),
      crypto,
      clock,
      log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
      apply,
      ...(before !== undefined && { applied: digestOf(before) }),
      ...(interval !== undefined && { interval }),
    },
    ended.signal,
  )
  return { clock, versions, lines, apply, check, fault }
}

describe('the file of the trust root', () => {
  it('is applied when its bytes change, and only then', async () => {
    await put(rootText(1))
    const { versions, check, fault, lines } = watch({ applied: rootText(1) })
    await check()
    expect(versions).toEqual([])
    await put(rootText(2))
    await check()
    await check()
    expect(versions).toEqual([2])
    expect(fault()).toBeUndefined()
    expect(lines).toEqual(['info trust root replaced'])
  })

  it('is looked at every second, or as often as asked', async () => {
    for (const interval of [undefined, 50]) {
      await put(rootText(1))
      const { clock, versions, apply } = watch({
        applied: rootText(1),
        ...(interval !== undefined && { interval }),
      })
      await put(rootText(2))
      clock.advance((interval ?? 1_000) - 1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(apply).not.toHaveBeenCalled()
      clock.advance(1)
      await vi.waitFor(() => expect(versions).toEqual([2]))
    }
  })

  it('is no longer looked at when the server ends', async () => {
    await put(rootText(1))
    const { clock, apply } = watch()
    ended.abort()
    clock.advance(10_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(apply).not.toHaveBeenCalled()
  })

  it('of a kubelet is read from the generation that is current', async () => {
    await kubelet(folder, '..1', { 'trust.json': rootText(1) })
    const { versions, check } = watch({ applied: rootText(1) })
    await check()
    await kubelet(folder, '..2', { 'trust.json': rootText(2) })
    await check()
    expect(versions).toEqual([2])
  })

  it('leaves the root in force when it cannot be used, says why once, and when it is good again', async () => {
    await put(rootText(3))
    const { versions, check, fault, lines } = watch({ applied: rootText(3) })
    await put('{"type":')
    await check()
    await check()
    expect(fault()?.code).toBe('TRUST_ROOT_INVALID')
    expect(fault()?.message).toContain(path())
    await put(rootText(3))
    await check()
    expect(fault()).toBeUndefined()
    expect(versions).toEqual([])
    expect(lines).toEqual([
      'error trust root not replaced',
      'info the file of the trust root is good again',
    ])
  })

  it('leaves the root in force when the kernel refuses the new one, as it does an older one', async () => {
    await put(rootText(2))
    const { versions, check, fault, lines } = watch()
    await check()
    await put(rootText(1))
    await check()
    await check()
    expect(versions).toEqual([2])
    expect(fault()).toMatchObject({ code: 'TRUST_ROOT_ROLLBACK' })
    await put(rootText(3))
    await check()
    expect(versions).toEqual([2, 3])
    expect(fault()).toBeUndefined()
    expect(lines).toEqual([
      'info trust root replaced',
      'error trust root not replaced',
      'info trust root replaced',
    ])
  })

  it('is offered again after a refusal that may pass', async () => {
    await put(rootText(1))
    const { check, fault, apply, versions } = watch()
    apply.mockRejectedValueOnce(new KernelError('LEDGER_UNAVAILABLE', 'the disk is full'))
    await check()
    expect(fault()?.code).toBe('LEDGER_UNAVAILABLE')
    await check()
    expect(fault()).toBeUndefined()
    expect(versions).toEqual([1])
  })

  it('that vanishes is a fault, and the root in force stays', async () => {
    await put(rootText(1))
    const { versions, check, fault } = watch({ applied: rootText(1) })
    await fs.rm(path())
    await check()
    expect(fault()?.code).toBe('CONFIG_INVALID')
    expect(fault()?.message).toContain('there is no file')
    await fs.rm(folder, { recursive: true })
    await check()
    expect(fault()?.code).toBe('CONFIG_INVALID')
    expect(versions).toEqual([])
  })

  it('is read only as far as a trust root can be long', async () => {
    await fs.writeFile(path(), '')
    await fs.truncate(path(), 1024 * 1024 + 1)
    await expect(readTrustRoot(path(), ended.signal)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })

  it('is given to whoever starts the server with the same rules', async () => {
    await put(rootText(4))
    const bytes = await readTrustRoot(path(), ended.signal)
    expect(parseTrustRoot(bytes, crypto).version).toBe(4)
  })
})
