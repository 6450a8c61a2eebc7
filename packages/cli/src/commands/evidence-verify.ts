import { parsePublicKey, scopeKey, trustKeys } from '@helm-ai-kernel/core'
import { maxPackBytes, verifyPack } from '@helm-ai-kernel/core/evidence'
import { parseVerifierKey } from '@helm-ai-kernel/core/log'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { answerChecks } from '../checks.ts'
import { type Command, type Given } from '../command.ts'
import { readFile } from '../files.ts'
import type { Io } from '../io.ts'
import { usage } from '../parse.ts'

const name = 'evidence verify'

export const evidenceVerify: Command = {
  summary:
    'verify an evidence pack offline, with nothing but a public key; exit code 1 when it fails',
  usage: '<pack.tar> --key HEX [--log-key KEY] [--checkpoint FILE] [--policy-key HEX]',
  example: `evidence verify october.tar --key ${'0'.repeat(64)}`,
  flags: {
    key: {
      value: 'HEX',
      summary: 'public_key of /api/v1/keys or of keygen; a key that it vouched for counts too',
      many: true,
    },
    'log-key': {
      value: 'KEY',
      summary: 'log_vkey or log_public_key that alone may have signed the checkpoint',
      many: true,
    },
    checkpoint: {
      value: 'FILE',
      summary: 'a checkpoint that was kept outside: the pack must be of this tree',
      many: true,
    },
    'policy-key': {
      value: 'HEX',
      summary: 'public key that may have signed the policies; not looked at when absent',
      many: true,
    },
  },
  operands: [1, 1],
  details: [
    'What the pack is of is printed below the verdict: whether it is what you asked for is yours to see.',
    'It proves that nothing is missing between its first receipt and its last, and not that the last is',
    'the newest.',
  ],
  async run(given, io) {
    const [path = ''] = given.operands
    const keys = given.flags.get('key')
    if (keys === undefined) {
      throw usage(name, 'give --key: the keys that a pack carries are never trusted')
    }
    const policyKeys = given.flags.get('policy-key')
    const trust = {
      crypto: nodeCrypto,
      keys: keys.map((hex) => parsePublicKey(hex, '--key')),
      checkpoints: await checkpointsIn(given, io),
      ...logKeysIn(given),
      ...(policyKeys && { policyTrust: trustKeys(policyKeys, nodeCrypto) }),
    }
    const { checks, facts } = await verifyPack(await readFile(io, path, maxPackBytes), trust)
    if (facts === undefined) return answerChecks(io, given, checks)
    const { scope, from, to, treeSize, identity } = facts
    const pack = {
      scope: scopeKey(scope),
      from,
      to,
      tree_size: treeSize,
      origin: identity.origin,
      ledger_id: identity.ledgerId,
    }
    const line = `${pack.scope}, seq ${from} to ${to}, in the tree of ${treeSize} entries of ${pack.origin}`
    return answerChecks(io, given, checks, { pack }, [line])
  },
}

function checkpointsIn(given: Given, io: Io) {
  const paths = given.flags.get('checkpoint') ?? []
  return Promise.all(paths.map(async (path) => ({ name: path, note: await readFile(io, path) })))
}

/** Hex, or the form of C2SP log tools, which also says what the log is called. */
function logKeysIn(given: Given) {
  const texts = given.flags.get('log-key')
  if (texts === undefined) return {}
  const verifiers = texts.map((text) =>
    text.includes('+')
      ? parseVerifierKey(text, nodeCrypto)
      : { name: undefined, publicKey: parsePublicKey(text, '--log-key') },
  )
  const origins = new Set(verifiers.flatMap(({ name: origin }) => origin ?? []))
  const [origin] = origins
  if (origins.size > 1) throw usage(name, 'every --log-key must be of the same log')
  return {
    logKeys: verifiers.map(({ publicKey }) => publicKey),
    ...(origin !== undefined && { origin }),
  }
}
