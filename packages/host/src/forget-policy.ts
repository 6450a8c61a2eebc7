import type { Scope } from '@helm-ai-kernel/core'
import type { CommandIo } from './run-serve.ts'
import { type StoppedKernelOptions, withStoppedKernel } from './stopped-kernel.ts'

export interface ForgetPolicyOptions extends StoppedKernelOptions {
  readonly scope: Scope
}

/**
 * Writes into the ledger of a data directory that unsigned policy may follow signed policy in a scope
 * (design 2.5). Throws `LEDGER_LOCKED`, `LEDGER_MISSING`, `KEY_CHANGED`, `CONFIG_INVALID` or
 * `POLICY_NOT_READY`.
 */
export async function forgetPolicy(options: ForgetPolicyOptions, io: CommandIo): Promise<void> {
  await withStoppedKernel(options, io, ({ kernel }) => kernel.authority.forget(options.scope))
}
