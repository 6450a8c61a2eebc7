import { join } from 'node:path'
import {
  type Crypto,
  encodeHex,
  isKeyId,
  type KernelOptions,
  type KernelSigner,
  type KeyId,
  keyIdOf,
  KernelError,
  parsePublicKey,
  parseSeed,
  type Random,
  signer,
} from '@helm-ai-kernel/core'
import type { Configuration } from './configuration/index.ts'
import { keepSecret, readSecret } from './secret-file.ts'

export interface SigningKey {
  readonly signer: KernelSigner
  /** Where the seed came from, for people. */
  readonly from: string
  readonly warnings: readonly string[]
}

/**
 * The key that signs receipts (design 4.4): of the setting, of its file, or, where the configuration
 * lets it, made once in the data directory. Throws `CONFIG_INVALID`.
 */
export async function loadSigningKey(
  configuration: Configuration,
  crypto: Crypto,
  random: Random,
): Promise<SigningKey> {
  const { signingKey, signingKeyFile, dataDir } = configuration
  if (signingKey !== undefined) {
    return { signer: signer(signingKey, crypto), from: 'HELM_SIGNING_KEY', warnings: [] }
  }
  const path = signingKeyFile ?? join(dataDir, 'keys', 'receipt.key')
  const file =
    signingKeyFile === undefined
      ? await keepSecret(path, () => encodeHex(random.bytes(32)))
      : await readSecret(path)
  if (file === undefined) {
    throw new KernelError(
      'CONFIG_INVALID',
      `HELM_SIGNING_KEY_FILE ${path} does not exist: make it with helm-ai-kernel keygen, or mount it`,
    )
  }
  return {
    signer: signer(seedOf(file.text, path), crypto),
    from: path,
    warnings: file.warning === undefined ? [] : [file.warning],
  }
}

/** What a kernel does when the ledger was signed by another key (design 4.4). */
export function onKeyChange(
  { production, signingPreviousKeys = [] }: Configuration,
  crypto: Crypto,
): NonNullable<KernelOptions['onKeyChange']> {
  if (!production) return 'rotate'
  return signingPreviousKeys.map((key): KeyId =>
    isKeyId(key) ? key : keyIdOf(crypto, parsePublicKey(key, 'previous key')),
  )
}

function seedOf(text: string, path: string): Uint8Array {
  try {
    return parseSeed(text, 'the seed')
  } catch {
    throw new KernelError(
      'CONFIG_INVALID',
      `${path} must hold 64 hex digits and nothing else, the seed that keygen made`,
    )
  }
}
