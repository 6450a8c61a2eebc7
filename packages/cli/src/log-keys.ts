import { KernelError, parsePublicKey } from '@helm-ai-kernel/core'
import { type Cosigner, type NoteVerifier, parseVerifierKey } from '@helm-ai-kernel/core/log'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { type Flag, type Given, valueOf } from './command.ts'
import { usage } from './parse.ts'

/** The flags that say whose checkpoints count. */
export const logKeyFlags: Readonly<Record<'log-key' | 'origin', Flag>> = {
  'log-key': {
    value: 'KEY',
    summary: 'key of the log: log_vkey of /api/v1/keys, or log_public_key with --origin',
    many: true,
  },
  origin: { value: 'NAME', summary: 'the log, where a key is hex: first line of its checkpoints' },
}

/** One log's keys: one at least, all of one name. */
export interface LogKeys {
  readonly origin: string
  readonly verifiers: readonly NoteVerifier[]
}

/** The keys that were given; undefined when none was. */
export function logKeysIn(name: string, given: Given): LogKeys | undefined {
  const origin = valueOf(given, 'origin')
  const texts = given.flags.get('log-key')
  if (texts === undefined) {
    if (origin !== undefined)
      throw usage(name, '--origin says of which log --log-key is: give both')
    return undefined
  }
  return logKeysOf(texts.map((text) => logKey(name, text, origin)))
}

/** Throws `KEY_INVALID` when they are of two logs, or there are none. */
export function logKeysOf(verifiers: readonly NoteVerifier[]): LogKeys {
  const [first] = verifiers
  if (first === undefined) throw new KernelError('KEY_INVALID', 'the log has no key yet')
  const other = verifiers.find((one) => one.name !== first.name)
  if (other !== undefined) {
    throw new KernelError(
      'KEY_INVALID',
      `the keys are of two logs, ${first.name} and ${other.name}: give those of one`,
    )
  }
  return { origin: first.name, verifiers }
}

/** The witnesses that were given with `--witness`. */
export function cosignersIn(given: Given): readonly Cosigner[] {
  return (given.flags.get('witness') ?? []).map((text) => {
    const verifier = parseVerifierKey(text, nodeCrypto)
    if (verifier.kind === 'cosigner') return verifier
    throw new KernelError('KEY_INVALID', `the key of ${verifier.name} is a log's, not a witness's`)
  })
}

function logKey(name: string, text: string, origin: string | undefined): NoteVerifier {
  if (!text.includes('+')) {
    const publicKey = parsePublicKey(text, '--log-key')
    if (origin === undefined) throw usage(name, 'a --log-key in hex needs --origin')
    return { name: origin, publicKey }
  }
  const verifier = parseVerifierKey(text, nodeCrypto)
  if (verifier.kind !== 'log') {
    throw new KernelError('KEY_INVALID', `the key of ${verifier.name} is a witness's, not a log's`)
  }
  if (origin !== undefined && origin !== verifier.name) {
    throw usage(name, '--origin is another than the name in --log-key')
  }
  return verifier
}
