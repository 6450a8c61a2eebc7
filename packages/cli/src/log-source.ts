import {
  decodeHex,
  type Disk,
  isObject,
  type Json,
  KernelError,
  type Scope,
  scopeKey,
  systemScope,
  type Tiles,
} from '@helm-ai-kernel/core'
import { fetchedTiles, parseVerifierKey } from '@helm-ai-kernel/core/log'
import type { ReceiptId } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { readLedger } from '@helm-ai-kernel/ledger'
import type { KernelClient } from './kernel-client.ts'
import { type LogKeys, logKeysOf } from './log-keys.ts'
import { entryOf } from './receipt-file.ts'

/** More than a ledger ever has. */
const maxKeys = 1000

/** An entry and its place in the log. */
export interface Placed {
  readonly entry: Uint8Array
  readonly logIndex: number
}

/** A log that is read from outside: of a running kernel, or in its files. Nothing in it is proved. */
export interface LogSource {
  readonly tiles: Tiles
  /** Whether a checkpoint that is not there yet may come. */
  readonly grows: boolean
  /** Throws `NOT_FOUND` when there is no such receipt. */
  place(id: ReceiptId): Promise<Placed>
  /** The keys of the log as it says itself. */
  logKeys(): Promise<LogKeys>
}

/** The log of a running kernel. */
export function kernelLog(client: KernelClient): LogSource {
  return {
    tiles: kernelTiles(client),
    grows: true,
    async place(id) {
      const receipt = await client.get(`/api/v1/receipts/${id}`)
      const entry = entryOf(receipt)
      const logIndex = isObject(receipt) ? receipt['log_index'] : undefined
      if (entry === undefined || typeof logIndex !== 'number') throw noKernel(client)
      return { entry, logIndex }
    },
    async logKeys() {
      const body = await client.get('/api/v1/keys')
      const keys = isObject(body) ? body['keys'] : undefined
      if (!Array.isArray(keys)) throw noKernel(client)
      return logKeysOf((keys as readonly Json[]).map((key) => logVerifier(client, key)))
    },
  }
}

/** The log in the files of a data directory; receipts are looked for in `scope`. */
export async function filesLog(disk: Disk, scope: Scope): Promise<LogSource> {
  const ledger = await readLedger(disk, nodeCrypto)
  return {
    tiles: ledger,
    grows: false,
    async place(receiptId) {
      const [found] = (await ledger.find({ scope, receiptId, limit: 1 })).receipts
      if (found !== undefined) return found
      const message = `${scopeKey(scope)} has no receipt ${receiptId}: name its scope with --scope`
      throw new KernelError('NOT_FOUND', message)
    },
    async logKeys() {
      const query = { scope: systemScope, kind: 'key', limit: maxKeys } as const
      const { receipts } = await ledger.find(query)
      return logKeysOf(
        receipts.flatMap(({ statement }) => {
          if (statement.kind !== 'key' || statement.event !== 'began') return []
          const publicKey = decodeHex(statement.log_public_key, 32, 'log_public_key')
          return [{ name: ledger.identity.origin, publicKey }]
        }),
      )
    },
  }
}

/** What a running kernel serves below /log/. */
export function kernelTiles(client: KernelClient): Tiles {
  return fetchedTiles((path, maxBytes) => client.download(`/log/${path}`, maxBytes))
}

function logVerifier(client: KernelClient, key: Json) {
  const vkey = isObject(key) ? key['log_vkey'] : undefined
  if (typeof vkey !== 'string') throw noKernel(client)
  const verifier = parseVerifierKey(vkey, nodeCrypto)
  if (verifier.kind !== 'log') throw noKernel(client)
  return verifier
}

function noKernel({ url }: KernelClient): KernelError {
  return new KernelError('KERNEL_UNREACHABLE', `what answers at ${url} is no kernel of this kind`)
}
