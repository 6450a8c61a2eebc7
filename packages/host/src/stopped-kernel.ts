import { join, resolve } from 'node:path'
import { KernelError, type KernelSigner, noTrust, scopeOf } from '@helm-ai-kernel/core'
import { hostClock } from './clock.ts'
import { type Configuration, parseConfiguration } from './configuration/index.ts'
import { createDurableKernel, type DurableKernel } from './durable-kernel.ts'
import { createLog } from './log.ts'
import { nodeCrypto } from './node-crypto.ts'
import { hostRandom } from './random.ts'
import type { CommandIo } from './run-serve.ts'
import { loadSigningKey } from './signing-key.ts'

/** Where the ledger of a kernel that does not run is, and the key that signs it. */
export interface StoppedKernelOptions {
  /** `HELM_DATA_DIR` or `./.helm` when absent. */
  readonly dataDir: string | undefined
  /** `HELM_SIGNING_KEY`, `HELM_SIGNING_KEY_FILE` or the one in the data directory when absent. */
  readonly signingKeyFile: string | undefined
}

/** A kernel on that ledger for as long as an operator's command takes. */
export interface StoppedKernel extends Pick<DurableKernel, 'kernel' | 'receipts' | 'keyFault'> {
  readonly signer: KernelSigner
}

/**
 * Takes the data directory for one piece of work, and gives it back. Whoever may write there has the
 * key that signs the ledger, and no kernel runs on it; neither a key nor a ledger is made. Throws
 * `LEDGER_LOCKED`, `LEDGER_MISSING`, `CONFIG_INVALID`, or what the work does.
 */
export async function withStoppedKernel<T>(
  options: StoppedKernelOptions,
  io: CommandIo,
  work: (stopped: StoppedKernel) => Promise<T>,
): Promise<T> {
  const configuration = stoppedConfiguration(options, io)
  const log = createLog({
    level: 'warn',
    format: 'text',
    clock: hostClock,
    write: (line) => io.stderr(line),
  })
  const key = await loadSigningKey(configuration, nodeCrypto, hostRandom)
  const scope = scopeOf('default', 'default')
  const durable = createDurableKernel(configuration, key, noTrust, scope, log)
  await durable.open()
  try {
    const fault = durable.ledgerFault()
    if (fault !== undefined) throw new KernelError(fault.code, `${fault.detail}: ${fault.fix}`)
    return await work({ ...durable, signer: key.signer })
  } finally {
    await durable.close()
  }
}

/** What an operator's command needs of the configuration; `more` beats the environment. */
export function stoppedConfiguration(
  { dataDir, signingKeyFile }: StoppedKernelOptions,
  io: CommandIo,
  more: Readonly<Record<string, string>> = {},
): Configuration {
  const folder = resolve(io.cwd, dataDir ?? (io.env['HELM_DATA_DIR'] || '.helm'))
  const { HELM_SIGNING_KEY: seed, HELM_SIGNING_KEY_FILE: file } = io.env
  const keyFile = signingKeyFile ?? (file || join(folder, 'keys', 'receipt.key'))
  return parseConfiguration({
    environment: {
      ...(signingKeyFile === undefined && seed
        ? { HELM_SIGNING_KEY: seed }
        : { HELM_SIGNING_KEY_FILE: resolve(io.cwd, keyFile) }),
      HELM_DATA_DIR: folder,
      HELM_STORAGE_TYPE: io.env['HELM_STORAGE_TYPE'],
      DATABASE_URL: io.env['DATABASE_URL'],
      // Neither a key nor a ledger is made here.
      HELM_PRODUCTION: 'true',
      HELM_LEDGER_INIT: 'never',
      ...more,
    },
    sources: ['mountedFile'],
  }).configuration
}
