import { join, resolve } from 'node:path'
import { KernelError, noTrust, type Scope } from '@helm-ai-kernel/core'
import { hostClock } from './clock.ts'
import { parseConfiguration } from './configuration/index.ts'
import { createDurableKernel } from './durable-kernel.ts'
import { createLog } from './log.ts'
import { nodeCrypto } from './node-crypto.ts'
import { hostRandom } from './random.ts'
import type { CommandIo } from './run-serve.ts'
import { loadSigningKey } from './signing-key.ts'

export interface ForgetPolicyOptions {
  readonly scope: Scope
  /** `HELM_DATA_DIR` or `./.helm` when absent. */
  readonly dataDir: string | undefined
  /** `HELM_SIGNING_KEY`, `HELM_SIGNING_KEY_FILE` or the one in the data directory when absent. */
  readonly signingKeyFile: string | undefined
}

/**
 * Writes into the ledger of a data directory that unsigned policy may follow signed policy in a scope
 * (design 2.5). Whoever may do that has the key that signs the ledger, and no kernel that runs on it.
 * Throws `LEDGER_LOCKED`, `LEDGER_MISSING`, `KEY_CHANGED`, `CONFIG_INVALID` or `POLICY_NOT_READY`.
 */
export async function forgetPolicy(
  { scope, dataDir, signingKeyFile }: ForgetPolicyOptions,
  io: CommandIo,
): Promise<void> {
  const folder = resolve(io.cwd, dataDir ?? (io.env['HELM_DATA_DIR'] || '.helm'))
  const { HELM_SIGNING_KEY: seed, HELM_SIGNING_KEY_FILE: file } = io.env
  const keyFile = signingKeyFile ?? (file || join(folder, 'keys', 'receipt.key'))
  const { configuration } = parseConfiguration({
    environment: {
      ...(signingKeyFile === undefined && seed
        ? { HELM_SIGNING_KEY: seed }
        : { HELM_SIGNING_KEY_FILE: resolve(io.cwd, keyFile) }),
      HELM_DATA_DIR: folder,
      // Neither a key nor a ledger is made here.
      HELM_PRODUCTION: 'true',
      HELM_LEDGER_INIT: 'never',
    },
    sources: ['mountedFile'],
  })
  const log = createLog({
    level: 'warn',
    format: 'text',
    clock: hostClock,
    write: (line) => io.stderr(line),
  })
  const key = await loadSigningKey(configuration, nodeCrypto, hostRandom)
  const durable = createDurableKernel(configuration, key, noTrust, scope, log)
  await durable.open()
  try {
    const fault = durable.ledgerFault()
    if (fault !== undefined) throw new KernelError(fault.code, `${fault.detail}: ${fault.fix}`)
    await durable.kernel.authority.forget(scope)
  } finally {
    await durable.close()
  }
}
