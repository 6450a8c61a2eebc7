import { hostname } from 'node:os'
import process from 'node:process'
import {
  createKernel,
  isKernelError,
  type Kernel,
  type KernelError,
  type ReceiptStore,
  type Scope,
  timestamp,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { celConditions } from '@helm-ai-kernel/cel'
import { type Fault, type Ledger, openLedger } from '@helm-ai-kernel/ledger'
import { hostClock } from './clock.ts'
import type { Configuration } from './configuration/index.ts'
import { fileKeep } from './file-keep.ts'
import { lateStore } from './late-store.ts'
import { type Log, sparing } from './log.ts'
import { nodeCrypto } from './node-crypto.ts'
import { nodeDisk } from './node-disk.ts'
import { hostRandom } from './random.ts'
import { onKeyChange, type SigningKey } from './signing-key.ts'
import { socketLock } from './socket-lock.ts'

/** A kernel whose receipts are in a data directory. */
export interface DurableKernel {
  readonly kernel: Kernel
  /** Waits for `open`. */
  readonly receipts: ReceiptStore
  /**
   * Takes the data directory and reads its ledger. Throws what an operator must correct:
   * `LEDGER_LOCKED`, `CONFIG_INVALID`, `LEDGER_UNAVAILABLE`. Damage does not throw.
   */
  open(): Promise<void>
  /** Why nothing can be recorded; undefined when all is well. */
  ledgerFault(): Fault | undefined
  /** Whether the ledger held nothing when it was opened. */
  ledgerIsNew(): boolean
  /** Why the configured key does not sign in this ledger. */
  keyFault(): KernelError | undefined
  readonly checkpoint: () => Uint8Array | undefined
  /** Publishes the last checkpoint and gives the data directory back. */
  close(): Promise<void>
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const unopened: Fault = {
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
  const { dataDir, logOrigin, policyAudience, policyMaxLifetime } = configuration
  const disk = nodeDisk(dataDir)
  const host = { clock: hostClock, random: hostRandom, crypto: nodeCrypto }
  const warn = sparing(log.warn, hostClock)
  let ledger: Ledger | undefined
  let isNew = false
  let keyFault: KernelError | undefined
  let opened: (ledger: Ledger) => void = () => undefined
  const receipts = lateStore(new Promise((resolve) => (opened = resolve)))

  const kernel = createKernel({
    ...host,
    trust,
    store: receipts,
    signer,
    scope,
    ...(policyAudience !== undefined && { audience: policyAudience }),
    ...(policyMaxLifetime !== undefined && { maxLifetime: policyMaxLifetime }),
    conditions: celConditions(),
    text: (bytes) => utf8.decode(bytes),
    signatureRequired: configuration.policySignatureRequired,
    onKeyChange: onKeyChange(configuration, nodeCrypto),
    keep: fileKeep(disk),
    warn,
  })

  return {
    kernel,
    receipts,
    ledgerFault: () => (ledger === undefined ? unopened : ledger.health()),
    ledgerIsNew: () => isNew,
    keyFault: () => keyFault,
    checkpoint: () => ledger?.checkpoint(),
    async open() {
      ledger = await openLedger({
        ...host,
        disk,
        lock: socketLock(dataDir),
        who: { pid: process.pid, host: hostname(), since: timestamp(hostClock.now()) },
        log: signer.log,
        ...(logOrigin !== undefined && { origin: logOrigin }),
        init: configuration.ledgerInit,
        warn,
      })
      isNew = ledger.health() === undefined && (await ledger.state()).size === 0
      opened(ledger)
      await begin()
    },
    close: async () => ledger?.close(),
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
}
