import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import process from 'node:process'
import {
  type Cancel,
  type Keep,
  type KernelSigner,
  KernelError,
  type Ledger,
  type LedgerIdentity,
  messageOf,
  type ReceiptIndex,
  timestamp,
} from '@helm-ai-kernel/core'
import { openLedger } from '@helm-ai-kernel/ledger'
import { parseDatabaseUrl } from '@helm-ai-kernel/postgres/database-url'
import { hostClock } from './clock.ts'
import type { Configuration } from './configuration/index.ts'
import { fileKeep } from './file-keep.ts'
import { nodeCrypto } from './node-crypto.ts'
import { nodeDisk } from './node-disk.ts'
import { hostRandom } from './random.ts'
import { socketLock } from './socket-lock.ts'

/** Where a kernel's receipts are, and the blobs beside them. */
export interface Storage {
  readonly ledger: Ledger
  readonly keep: Keep
}

/** In the data directory of each replica: the newest checkpoint of the database that it has seen. */
const rememberedPath = 'remembered/checkpoint'

const indexDelay = 1000

const host = { clock: hostClock, random: hostRandom, crypto: nodeCrypto }

/**
 * Opens what `HELM_STORAGE_TYPE` names: the data directory, or a database that replicas share. Throws
 * what an operator must correct: `LEDGER_LOCKED`, `CONFIG_INVALID`, `LEDGER_UNAVAILABLE`. Damage, and a
 * database that is away, do not throw: the ledger's `health` says so.
 */
export function openStorage(
  configuration: Configuration,
  signer: KernelSigner,
  warn: (message: string) => void,
): Promise<Storage> {
  return configuration.storageType === 'postgres'
    ? openDatabase(configuration, signer, warn)
    : openDirectory(configuration, signer, warn)
}

async function openDirectory(
  { dataDir, logOrigin, ledgerInit }: Configuration,
  { log }: KernelSigner,
  warn: (message: string) => void,
): Promise<Storage> {
  const disk = nodeDisk(dataDir)
  const ledger = await openLedger({
    ...host,
    disk,
    lock: socketLock(dataDir),
    who: { pid: process.pid, host: hostname(), since: timestamp(hostClock.now()) },
    log,
    ...(logOrigin !== undefined && { origin: logOrigin }),
    init: ledgerInit,
    index: openIndex,
    warn,
  })
  return { ledger, keep: fileKeep(disk) }
}

/** Not before the kernel is ready: a start has better to do, and filters are answered without it. */
async function openIndex(cancel: Cancel): Promise<ReceiptIndex> {
  await hostClock.sleep(indexDelay, cancel)
  if (cancel.aborted) throw new KernelError('LEDGER_UNAVAILABLE', 'the ledger was closed')
  const { createReceiptIndex, openSqlite } = await import('@helm-ai-kernel/sqlite')
  return createReceiptIndex(await openSqlite())
}

/** Opens the ledger in a database, of which a new one is `identity`'s, where that is given. */
export async function openDatabase(
  { dataDir, databaseUrl = '', logOrigin, ledgerInit }: Configuration,
  { keyId, log }: KernelSigner,
  warn: (message: string) => void,
  identity?: LedgerIdentity,
): Promise<Storage> {
  const { caFile } = parseDatabaseUrl(databaseUrl)
  const local = fileKeep(nodeDisk(dataDir))
  const { openPostgres } = await import('@helm-ai-kernel/postgres')
  const ledger = await openPostgres({
    ...host,
    url: databaseUrl,
    ...(caFile !== undefined && { ca: await readCertificates(caFile) }),
    log,
    keyId,
    ...(logOrigin !== undefined && { origin: logOrigin }),
    init: ledgerInit,
    ...(identity !== undefined && { identity }),
    remembered: {
      load: () => local.get(rememberedPath),
      save: (note) => local.put(rememberedPath, note),
    },
    warn,
  })
  return { ledger, keep: ledger.keep() }
}

async function readCertificates(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new KernelError(
      'CONFIG_INVALID',
      `the certificates that sslrootcert of DATABASE_URL names cannot be read: ${messageOf(cause)}`,
      { cause },
    )
  }
}
