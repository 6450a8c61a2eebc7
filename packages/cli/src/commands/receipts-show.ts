import {
  canonical,
  canonicalBytes,
  isObject,
  type Json,
  KernelError,
  keyIdOf,
  parsePublicKey,
} from '@helm-ai-kernel/core'
import { decodeEntry, isReceiptId, receiptIdOf, verifyEntry } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { answerChecks, checkSteps } from '../checks.ts'
import { type Command, type Given, valueOf } from '../command.ts'
import { clientFlags, type KernelClient, kernelClient } from '../kernel-client.ts'
import { usage } from '../parse.ts'
import { answer } from '../print.ts'

const name = 'receipts show'

export const receiptsShow: Command = {
  summary: 'show one receipt, and with --verify check its id, its content and its signature',
  usage: '<receipt_id> [--verify] [--key HEX] [flags]',
  example: `receipts show rcpt-${'0'.repeat(64)} --verify`,
  flags: {
    verify: { summary: 'check it against the keys of /api/v1/keys' },
    key: { value: 'HEX', summary: 'check it against this public key instead; implies --verify' },
    ...clientFlags,
  },
  operands: [1, 1],
  async run(given, io) {
    const [id = ''] = given.operands
    if (!isReceiptId(id)) throw usage(name, 'a receipt id is rcpt- and 64 lowercase hex')
    const client = await kernelClient(name, given, io)
    const receipt = await client.get(`/api/v1/receipts/${id}`)
    const lines = JSON.stringify(receipt, null, 2).split('\n')
    if (!given.flags.has('verify') && !given.flags.has('key')) {
      return answer(io, given, receipt, lines)
    }
    const keys = await keysOf(given, client)
    const checks = checkSteps(
      ['entry', 'receipt_id', 'content', 'signature'],
      steps(id, receipt, keys),
    )
    return answerChecks(io, given, checks, { receipt }, ['', ...lines])
  },
}

function* steps(
  id: string,
  receipt: Json,
  keys: ReadonlyMap<string, Uint8Array>,
): Generator<string, void> {
  const shown = isObject(receipt) ? receipt : {}
  const bytes = canonicalBytes(shown['entry'] ?? null)
  const entry = decodeEntry(bytes)
  yield 'in its one encoding'
  if (receiptIdOf(nodeCrypto.sha256(bytes)) !== id) refuse('the entry is of another receipt')
  yield 'is the digest of the entry'
  const differs = Object.entries(entry.statement).find(
    ([member, value]) => canonical(shown[member] ?? null) !== canonical(value as Json),
  )
  if (differs !== undefined) refuse(`${differs[0]} is shown otherwise than it was signed`)
  yield 'is what was signed'
  const key = keys.get(entry.keyId)
  if (key === undefined) refuse(`it is signed by ${entry.keyId}, which is not among the keys`)
  if (!verifyEntry(nodeCrypto, entry, key)) refuse(`it is not by ${entry.keyId}`)
  yield `by ${entry.keyId}`
}

/** By key id: the key that was given, or those that the kernel says are its own. */
async function keysOf(
  given: Given,
  client: KernelClient,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const hex = valueOf(given, 'key')
  if (hex !== undefined) return keyTable([hex], '--key')
  const body = await client.get('/api/v1/keys')
  const keys = isObject(body) ? body['keys'] : undefined
  const listed: readonly Json[] = Array.isArray(keys) ? keys : []
  const hexes = listed.map((key) => (isObject(key) ? key['public_key'] : undefined))
  return keyTable(
    hexes.filter((one) => typeof one === 'string'),
    'a key of /api/v1/keys',
  )
}

function keyTable(hexes: readonly string[], what: string): ReadonlyMap<string, Uint8Array> {
  const keys = hexes.map((hex) => parsePublicKey(hex, what))
  return new Map(keys.map((key) => [keyIdOf(nodeCrypto, key), key]))
}

function refuse(message: string): never {
  throw new KernelError('RECEIPT_MALFORMED', message)
}
