import fs from 'node:fs/promises'
import { type Crypto, KernelError, type Scope } from '@helm-ai-kernel/core'
import {
  type ClientKey,
  type Credentials,
  credentialsOf,
  parseClientKeys,
} from '@helm-ai-kernel/http'
import type { Configuration } from './configuration/index.ts'

/** Who may call (design 5.2). Throws `CONFIG_INVALID` or `API_KEYS_INVALID`, naming the place. */
export async function loadCredentials(
  configuration: Configuration,
  scope: Scope,
  crypto: Crypto,
): Promise<Credentials> {
  const { adminApiKey, serviceApiKey, apiKeysFile, runtimePrincipalId } = configuration
  return credentialsOf(
    {
      adminKey: adminApiKey,
      serviceKey: serviceApiKey,
      clients: apiKeysFile === undefined ? [] : await clientKeys(apiKeysFile),
      runtime: { scope, principal: runtimePrincipalId },
    },
    crypto,
  )
}

async function clientKeys(path: string): Promise<readonly ClientKey[]> {
  let bytes: Uint8Array
  try {
    bytes = await fs.readFile(path)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new KernelError('API_KEYS_INVALID', `HELM_API_KEYS_FILE cannot be read: ${message}`, {
      cause,
    })
  }
  return parseClientKeys(bytes)
}
