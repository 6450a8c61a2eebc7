import { hostname } from 'node:os'
import process from 'node:process'
import {
  type Draft,
  equalBytes,
  type Keep,
  KernelError,
  type Ledger,
  type Seal,
  type Stored,
  timestamp,
} from '@helm-ai-kernel/core'
import { rootOfTiles } from '@helm-ai-kernel/core/log'
import { type AuditResult, createAudit, scopeOfStatement } from '@helm-ai-kernel/core/receipt'
import { type LedgerFiles, readLedger } from '@helm-ai-kernel/ledger'
import { hostClock } from './clock.ts'
import { fileKeep } from './file-keep.ts'
import { loadSigningKey } from './signing-key.ts'
import { nodeCrypto } from './node-crypto.ts'
import { nodeDisk } from './node-disk.ts'
import { hostRandom } from './random.ts'
import type { CommandIo } from './run-serve.ts'
import { socketLock } from './socket-lock.ts'
import { stoppedConfiguration, type StoppedKernelOptions } from './stopped-kernel.ts'
import { openDatabase } from './storage.ts'

/** Entries that are copied as one batch, and verified before the next are read. */
const chunk = 256

/** Beside the receipts: bundles by hash, what was installed, and stored arguments. */
const folders = ['policies/', 'policy/', 'args/']

export interface CopyProgress {
  copied(entries: number, of: number): void
  verified(entries: number, of: number): void
}

export interface CopiedLedger {
  /** Entries that the database had from a copy before. */
  readonly resumedAt: number
  readonly blobs: number
  /** Of the database, read back from its first entry to its last, held against the files. */
  readonly audit: AuditResult
}

/**
 * Copies the embedded ledger of a data directory, with its policies and stored arguments, into an empty
 * database: the same entries in the same order, so the same log under the same name. A copy that was
 * broken off goes on. At the end everything is read back and verified. Throws `LEDGER_LOCKED` while a
 * kernel runs on the data directory, and `CONFIG_INVALID` for a database that holds something else.
 */
export async function copyLedger(
  options: StoppedKernelOptions,
  io: CommandIo,
  progress: CopyProgress,
): Promise<CopiedLedger> {
  const into = { HELM_STORAGE_TYPE: 'postgres', HELM_LEDGER_INIT: 'auto' }
  const configuration = stoppedConfiguration(options, io, into)
  const { dataDir } = configuration
  const disk = nodeDisk(dataDir)
  const since = timestamp(hostClock.now())
  const who = { pid: process.pid, host: hostname(), since }
  const held = await socketLock(dataDir).acquire('lock', who)
  if ('heldBy' in held) {
    throw new KernelError(
      'LEDGER_LOCKED',
      `process ${held.heldBy.pid} on ${held.heldBy.host} writes to the data directory: stop it first`,
    )
  }
  try {
    const { signer } = await loadSigningKey(configuration, nodeCrypto, hostRandom)
    const files = await readLedger(disk, nodeCrypto)
    const { identity } = files
    const warn = (message: string): void => io.stderr(`${message}\n`)
    const { ledger, keep } = await openDatabase(configuration, signer, warn, identity)
    try {
      const resumedAt = await sizeOfCopy(files, ledger)
      await copyEntries(files, ledger, resumedAt, progress)
      const blobs = await copyBlobs(fileKeep(disk), keep)
      await ledger.publish()
      return { resumedAt, blobs, audit: await readBack(files, ledger, progress) }
    } finally {
      await ledger.close()
    }
  } finally {
    await held.release()
  }
}

/** How many entries the database has of the same log. */
async function sizeOfCopy(files: LedgerFiles, ledger: Ledger): Promise<number> {
  const fault = ledger.health()
  if (fault !== undefined) throw new KernelError(fault.code, `${fault.detail}; ${fault.fix}`)
  const { size } = await ledger.state()
  const same =
    ledger.identity?.ledgerId === files.identity.ledgerId &&
    ledger.identity.origin === files.identity.origin &&
    size <= files.size &&
    equalBytes(
      await rootOfTiles(nodeCrypto, ledger, size),
      await rootOfTiles(nodeCrypto, files, size),
    )
  if (same) return size
  throw new KernelError(
    'CONFIG_INVALID',
    'the database holds another ledger, or one that has gone on: give DATABASE_URL of an empty database',
  )
}

async function copyEntries(
  files: LedgerFiles,
  ledger: Ledger,
  from: number,
  progress: CopyProgress,
): Promise<void> {
  for (let at = from; at < files.size;) {
    const receipts = await files.read(at, Math.min(at + chunk, files.size))
    // They are sealed already: their place in the chain is checked by the audit at the end.
    const seal: Seal = () => receipts
    await ledger.append(receipts.map(draftOf), seal)
    at += receipts.length
    progress.copied(at, files.size)
  }
}

function draftOf({ statement }: Stored): Draft {
  return { scope: scopeOfStatement(statement), body: statement }
}

async function copyBlobs(from: Keep, to: Keep): Promise<number> {
  let copied = 0
  for (const folder of folders) {
    for (const name of await from.list(folder)) {
      const bytes = await from.get(name)
      if (bytes === undefined) continue
      await to.put(name, bytes)
      copied++
    }
  }
  return copied
}

async function readBack(
  files: LedgerFiles,
  ledger: Ledger,
  progress: CopyProgress,
): Promise<AuditResult> {
  const [before, after] = [await files.checkpoint(), await ledger.checkpoint()]
  const checkpoints = [
    ...(before === undefined ? [] : [{ name: 'checkpoint of the files', note: before }]),
    ...(after === undefined ? [] : [{ name: 'checkpoint of the database', note: after }]),
  ]
  const { identity } = files
  const audit = createAudit({ crypto: nodeCrypto, identity, checkpoints, parallel: true })
  for (let at = 0; at < files.size;) {
    const receipts = await ledger.read(at, Math.min(at + chunk, files.size))
    if (receipts.length === 0) break
    for (const { entry } of receipts) audit.add(entry)
    await audit.settled()
    at += receipts.length
    progress.verified(at, files.size)
  }
  return audit.finish()
}
