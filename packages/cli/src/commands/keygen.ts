import { createHash, randomBytes } from 'node:crypto'
import { encodeHex, signer } from '@helm-ai-kernel/core'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { type Command, type Given, valueOf } from '../command.ts'
import { writeSecret } from '../files.ts'
import type { Io } from '../io.ts'
import { answer, table } from '../print.ts'

export const keygen: Command = {
  summary: 'make a signing key, or with --api a key for clients',
  usage: '[--out FILE] [--api]',
  example: 'keygen --out policy.key',
  flags: {
    out: {
      value: 'FILE',
      summary: 'put the secret here, readable by its owner alone; never overwrites',
    },
    api: {
      summary: 'make a key for HELM_API_KEYS_FILE, HELM_ADMIN_API_KEY or HELM_SERVICE_API_KEY',
    },
  },
  operands: [0, 0],
  run: (given, io) => (given.flags.has('api') ? makeApiKey(given, io) : makeSeed(given, io)),
}

async function makeSeed(given: Given, io: Io): Promise<number> {
  const seed = new Uint8Array(randomBytes(32))
  const { keyId, publicKey, log } = signer(seed, nodeCrypto)
  return deliver(given, io, 'seed', encodeHex(seed), {
    key_id: keyId,
    public_key: encodeHex(publicKey),
    log_public_key: encodeHex(log.publicKey),
  })
}

async function makeApiKey(given: Given, io: Io): Promise<number> {
  const key = `helm_${randomBytes(32).toString('hex')}`
  const sha256 = createHash('sha256').update(key).digest('hex')
  return deliver(given, io, 'key', key, { key_sha256: sha256 })
}

/** The secret goes to its file or, when there is none, with the rest to stdout. */
async function deliver(
  given: Given,
  io: Io,
  name: string,
  secret: string,
  rest: Readonly<Record<string, string>>,
): Promise<number> {
  const out = valueOf(given, 'out')
  if (out !== undefined) await writeSecret(io, out, `${secret}\n`)
  const document = { ...(out === undefined ? { [name]: secret } : { file: out }), ...rest }
  return answer(io, given, document, table(Object.entries(document)))
}
