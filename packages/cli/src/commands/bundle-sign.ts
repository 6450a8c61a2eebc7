import { isKernelError, KernelError } from '@helm-ai-kernel/core'
import {
  encodeSignatures,
  inspect,
  parseSignatures,
  type Signatures,
  signBundle,
} from '@helm-ai-kernel/core/bundle'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { type Command, valueOf } from '../command.ts'
import { readFile, readIfThere, replaceFile } from '../files.ts'
import type { Io } from '../io.ts'
import { usage } from '../parse.ts'
import { answer, table } from '../print.ts'
import { readSeed } from '../seed-file.ts'

const name = 'bundle sign'

export const bundleSign: Command = {
  summary: 'sign a policy.bundle with the seed that keygen made',
  usage: '--key-file FILE [--bundle FILE] [--append]',
  example: 'bundle sign --key-file policy.key --bundle dist/policy.bundle',
  flags: {
    'key-file': { value: 'FILE', summary: 'the seed, 64 hex; - reads it from stdin' },
    bundle: { value: 'FILE', summary: 'policy.bundle when absent' },
    append: { summary: 'add to a list of signatures, for trust roots that want more than one' },
  },
  operands: [0, 0],
  async run(given, io) {
    const keyFile = valueOf(given, 'key-file')
    if (keyFile === undefined) throw usage(name, '--key-file is missing')
    const path = valueOf(given, 'bundle') ?? 'policy.bundle'
    const bytes = await readFile(io, path)
    // INVARIANT: a policy key signs nothing but bundles, or it could be made to sign anything.
    inspect(bytes)
    const signature = signBundle(bytes, nodeCrypto.signer(await readSeed(io, keyFile)))
    const { keyId } = signature
    const out = `${path}.sig`
    const append = given.flags.has('append')
    const others = append ? (await readList(io, out)).filter((one) => one.keyId !== keyId) : []
    const signatures = append ? [...others, signature] : [{ ...signature, keyId: undefined }]
    if (signatures.length > 16) throw usage(name, `${out} has 16 signatures, it can have no more`)
    await replaceFile(io, out, encodeSignatures(signatures))
    const document = { file: out, key_id: keyId, signatures: signatures.length }
    const lines = table(Object.entries(document).map(([key, value]) => [key, `${value}`]))
    return answer(io, given, document, lines)
  },
}

async function readList(io: Io, path: string): Promise<Signatures> {
  const bytes = await readIfThere(io, path)
  if (bytes === undefined) return []
  try {
    const signatures = parseSignatures(bytes)
    if (signatures.every(({ keyId }) => keyId !== undefined)) return signatures
  } catch (error) {
    if (!isKernelError(error)) throw error
  }
  throw new KernelError(
    'FILE_UNUSABLE',
    `${path} is no list of signatures with key ids: remove it and sign with --append by each key`,
  )
}
