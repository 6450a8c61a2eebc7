import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeHex, nobleCrypto as crypto, signer, trustKeys } from '@helm-ai-kernel/core'
import { hostRandom, parseConfiguration } from '@helm-ai-kernel/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSigningKey, onKeyChange } from '../../packages/host/src/signing-key.ts'
import { checkOwnKeys, loadTrust } from '../../packages/host/src/trust.ts'

const seed = '07'.repeat(32)
const { keyId, publicKey, log } = signer(new Uint8Array(32).fill(7))
let folder: string

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'helm-keys-'))
})

afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true })
})

function configured(environment: Record<string, string>) {
  const { configuration } = parseConfiguration({
    environment: { HELM_DATA_DIR: folder, ...environment },
    sources: ['mountedFile'],
  })
  return configuration
}

const load = (environment: Record<string, string>) =>
  loadSigningKey(configured(environment), crypto, hostRandom)

describe('the signing key', () => {
  it('comes from its setting, or from its file with or without a line’s end', async () => {
    expect((await load({ HELM_SIGNING_KEY: seed })).signer.keyId).toBe(keyId)
    const path = join(folder, 'key')
    for (const text of [seed, `${seed}\n`, `${seed.toUpperCase()}\r\n`]) {
      await fs.writeFile(path, text)
      expect((await load({ HELM_SIGNING_KEY_FILE: path })).signer.keyId).toBe(keyId)
    }
  })

  it.each([
    [0o400, 0],
    [0o440, 0],
    [0o600, 0],
    [0o644, 1],
  ])('of a file with mode %o has %i warnings', async (mode, count) => {
    const path = join(folder, 'key')
    await fs.writeFile(path, seed)
    await fs.chmod(path, mode)
    expect((await load({ HELM_SIGNING_KEY_FILE: path })).warnings).toHaveLength(count)
  })

  it('is made once, for its owner alone, when nobody gave one', async () => {
    const [first, second] = await Promise.all([load({}), load({})])
    expect(second.signer.keyId).toBe(first.signer.keyId)
    expect((await load({})).signer.keyId).toBe(first.signer.keyId)
    const path = join(folder, 'keys/receipt.key')
    expect((await fs.stat(path)).mode & 0o777).toBe(0o600)
    expect((await fs.stat(join(folder, 'keys'))).mode & 0o777).toBe(0o700)
    expect(await fs.readdir(join(folder, 'keys'))).toEqual(['receipt.key'])
  })

  it('is refused without being shown when the file holds something else', async () => {
    const path = join(folder, 'key')
    await fs.writeFile(path, `${seed}00`)
    const refused = load({ HELM_SIGNING_KEY_FILE: path })
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(refused).rejects.not.toThrow(seed)
    await expect(load({ HELM_SIGNING_KEY_FILE: join(folder, 'none') })).rejects.toThrow(/keygen/)
  })

  it('may follow any other outside production, and in production those that are named', () => {
    expect(onKeyChange(configured({}), crypto)).toBe('rotate')
    const production = { HELM_PRODUCTION: '1', HELM_SIGNING_KEY: seed }
    expect(onKeyChange(configured(production), crypto)).toEqual([])
    const previous = `${keyId},${encodeHex(publicKey)}`
    expect(
      onKeyChange(configured({ ...production, HELM_SIGNING_PREVIOUS_KEYS: previous }), crypto),
    ).toEqual([keyId, keyId])
  })
})

describe('who may sign policy', () => {
  const root = {
    type: 'helm.trust-root/v1',
    version: 1,
    threshold: 1,
    keys: [{ key_id: keyId, public_key: encodeHex(publicKey), scopes: ['*'] }],
  }

  it('is nobody, the keys that are set, or those of the file', async () => {
    expect((await loadTrust(configured({}), crypto)).keys).toEqual([])
    const short = { HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(publicKey) }
    expect((await loadTrust(configured(short), crypto)).keys[0]?.keyId).toBe(keyId)
    const path = join(folder, 'root.json')
    await fs.writeFile(path, JSON.stringify(root))
    const long = { HELM_POLICY_TRUST_ROOT: path }
    expect((await loadTrust(configured(long), crypto)).keys[0]?.keyId).toBe(keyId)
    await fs.writeFile(path, '{}')
    await expect(loadTrust(configured(long), crypto)).rejects.toMatchObject({
      code: 'TRUST_ROOT_INVALID',
    })
    await fs.rm(path)
    await expect(loadTrust(configured(long), crypto)).rejects.toThrow(/HELM_POLICY_TRUST_ROOT/)
  })

  it('is never a key with which this kernel signs', () => {
    const own = signer(new Uint8Array(32).fill(7))
    for (const key of [publicKey, log.publicKey]) {
      const trust = trustKeys([encodeHex(key)], crypto)
      expect(() => checkOwnKeys(trust, own)).toThrow(/own (receipt|log) key/)
    }
    const other = signer(new Uint8Array(32).fill(8)).publicKey
    expect(() => checkOwnKeys(trustKeys([encodeHex(other)], crypto), own)).not.toThrow()
  })
})
