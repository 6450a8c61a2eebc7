import fs from 'node:fs/promises'
import { join } from 'node:path'
import { type Crypto, encodeHex, type Random } from '@helm-ai-kernel/core'
import { keepSecret } from '../secret-file.ts'

/** What `dev` keeps in its folder of keys. The policy key is of its own, never the receipt key. */
export interface DevKeys {
  readonly folder: string
  /** File of the seed that signs receipts. */
  readonly receiptKeyFile: string
  /** 64 hex, the seed that signs policy. */
  readonly policySeed: string
  readonly adminKey: string
  readonly serviceKey: string
  readonly agentKeyFile: string
  /** For `HELM_API_KEYS_FILE`; holds no secret. */
  readonly apiKeysFile: string
}

/** Makes the keys of `dev` once, each in a file of its own for its owner alone. */
export async function devKeys(folder: string, crypto: Crypto, random: Random): Promise<DevKeys> {
  const seed = () => encodeHex(random.bytes(32))
  const apiKey = () => `helm_${encodeHex(random.bytes(32))}`
  const file = (name: string) => join(folder, `${name}.key`)
  await keepSecret(file('receipt'), seed)
  const policy = await keepSecret(file('policy'), seed)
  const admin = await keepSecret(file('admin'), apiKey)
  const service = await keepSecret(file('service'), apiKey)
  const agent = await keepSecret(file('agent'), apiKey)
  const apiKeysFile = join(folder, 'api-keys.json')
  const client = {
    name: 'agent',
    key_sha256: encodeHex(crypto.sha256(new TextEncoder().encode(agent.text))),
    tenant_id: 'default',
    workspace_id: 'default',
    principal: 'agent:dev',
    roles: ['decide', 'read'],
  }
  await fs.writeFile(apiKeysFile, `${JSON.stringify([client], null, 2)}\n`)
  return {
    folder,
    receiptKeyFile: file('receipt'),
    policySeed: policy.text,
    adminKey: admin.text,
    serviceKey: service.text,
    agentKeyFile: file('agent'),
    apiKeysFile,
  }
}
