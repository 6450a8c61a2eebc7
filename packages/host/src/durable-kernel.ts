import {
  createKernel,
  isKernelError,
  type Kernel,
  type KernelError,
  type LedgerFault,
  type Scope,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { celConditions } from '@helm-ai-kernel/cel'
import { hostClock } from './clock.ts'
import type { Configuration } from './configuration/index.ts'
import { type LateStorage, lateStorage } from './late-storage.ts'
import { type Log, sparing } from './log.ts'
import { nodeCrypto } from './node-crypto.ts'
import { hostRandom } from './random.ts'
import { onKeyChange, type SigningKey } from './signing-key.ts'
import { openStorage, type Storage } from './storage.ts'

/** A kernel whose receipts survive it. What it has of `LateStorage` waits for `open`. */
export interface DurableKernel extends LateStorage {
  readonly kernel: Kernel
  /** Opens the ledger. Throws what an operator must correct, as `openStorage` does. */
  open(): Promise<void>
  /** Why nothing can be recorded; undefined when all is well. */
  ledgerFault(): LedgerFault | undefined
  /** Whether the ledger held nothing when it was opened. */
  ledgerIsNew(): boolean
  /** Why the configured key does not sign in this ledger. */
  keyFault(): KernelError | undefined
  /** What an operator should know of the ledger. */
  ledgerWarnings(): readonly string[]
  /** As `Ledger.unresolved` tells. */
  unresolved(): readonly string[] | Promise<readonly string[]>
  /** Publishes the last checkpoint and lets go of the ledger. */
  close(): Promise<void>
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const unopened: LedgerFault = {
  code: 'LEDGER_UNAVAILABLE',
  detail: 'the ledger is being opened',
  fix: 'wait: a long one takes a while to read',
}

export function createDurableKernel(
  configuration: Configuration,
  { signer }: SigningKey,
  trust: TrustRoot,
  scope: Scope,
  log: Log,
): DurableKernel {
  const { policyAudience, policyMaxLifetime } = configuration
  const host = { clock: hostClock, random: hostRandom, crypto: nodeCrypto }
  const warn = sparing(log.warn, hostClock)
  let storage: Storage | undefined
  let isNew = false
  let keyFault: KernelError | undefined
  let opened: (storage: Storage) => void = () => undefined
  const late = lateStorage(new Promise((resolve) => (opened = resolve)))
  const { receipts, keep } = late

  const kernel = createKernel({
    ...host,
    trust,
    store: { ...receipts, append: (drafts, seal) => receipts.append(drafts, seal).catch(noteKey) },
    signer,
    scope,
    ...(policyAudience !== undefined && { audience: policyAudience }),
    ...(policyMaxLifetime !== undefined && { maxLifetime: policyMaxLifetime }),
    conditions: celConditions(),
    text: (bytes) => utf8.decode(bytes),
    signatureRequired: configuration.policySignatureRequired,
    onKeyChange: onKeyChange(configuration, nodeCrypto),
    keep,
    ...(configuration.receiptArgs === 'store' && { args: keep }),
    warn,
  })

  return {
    ...late,
    kernel,
    ledgerFault: () => (storage === undefined ? unopened : storage.ledger.health()),
    ledgerWarnings: () => storage?.ledger.warnings() ?? [],
    ledgerIsNew: () => isNew,
    keyFault: () => keyFault,
    unresolved: () => storage?.ledger.unresolved() ?? [],
    async open() {
      storage = await openStorage(configuration, signer, warn)
      const { ledger } = storage
      isNew = ledger.health() === undefined && (await ledger.state()).size === 0
      opened(storage)
      await begin()
    },
    close: async () => storage?.ledger.close(),
  }

  /** A key that does not fit the ledger, or a ledger that is damaged: told, and not the end. */
  async function begin(): Promise<void> {
    try {
      await kernel.begin()
    } catch (error) {
      if (!isKernelError(error)) throw error
      if (error.code === 'KEY_CHANGED') keyFault = error
    }
  }

  /** Another replica may change the key while this one runs: it is then not ready any more. */
  function noteKey(error: unknown): never {
    if (isKernelError(error, 'KEY_CHANGED')) keyFault = error
    throw error
  }
}
