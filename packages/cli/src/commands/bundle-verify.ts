import { celConditions } from '@helm-ai-kernel/cel'
import {
  digest,
  isKernelError,
  parseTrustRoot,
  type Scope,
  scopeKey,
  trustKeys,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import { decode, inspect, parseSignatures, verify } from '@helm-ai-kernel/core/bundle'
import { compile, requirePassed, runSelfTests } from '@helm-ai-kernel/core/policy'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { answerChecks, checkSteps } from '../checks.ts'
import { type Command, type Given, valueOf } from '../command.ts'
import { readFile, readIfThere } from '../files.ts'
import type { Io } from '../io.ts'
import { usage } from '../parse.ts'
import { defaultScope, scopeFlag } from '../policy-file.ts'

const name = 'bundle verify'

export const bundleVerify: Command = {
  summary: 'verify a bundle as a kernel would before it installs it',
  usage: '<policy.bundle> (--key HEX | --trust-root FILE) [--scope T/W] [--audience NAME]',
  example: 'bundle verify dist/policy.bundle --trust-root trust.json --scope acme/prod',
  flags: {
    key: {
      value: 'HEX',
      summary: 'public key that may sign; any one of them is enough',
      many: true,
    },
    'trust-root': { value: 'FILE', summary: 'who may sign, in a helm.trust-root/v1 document' },
    sig: { value: 'FILE', summary: 'signatures; <policy.bundle>.sig when absent' },
    scope: { value: 'T/W', summary: "the kernel's tenant and workspace; the bundle's when absent" },
    audience: { value: 'NAME', summary: "the kernel's HELM_POLICY_AUDIENCE; none when absent" },
  },
  operands: [1, 1],
  async run(given, io) {
    const [path = ''] = given.operands
    const trust = await readTrust(given, io)
    const bytes = await readFile(io, path)
    const sig = valueOf(given, 'sig')
    const signatures =
      sig === undefined ? await readIfThere(io, `${path}.sig`) : await readFile(io, sig)
    const scope = scopeFlag(name, given) ?? claimedScope(bytes)
    const audience = valueOf(given, 'audience')
    const names = ['signature', 'form', 'content', 'compile', 'tests']
    const checks = checkSteps(names, steps({ bytes, signatures, trust, scope, audience }))
    return answerChecks(io, given, checks, { policy_hash: digest(nodeCrypto, bytes) })
  },
}

interface Asked {
  readonly bytes: Uint8Array
  readonly signatures: Uint8Array | undefined
  readonly trust: TrustRoot
  readonly scope: Scope
  readonly audience: string | undefined
}

/** The steps of an install, in its order: nothing is parsed before the signatures are verified. */
function* steps({ bytes, signatures, trust, scope, audience }: Asked): Generator<string, void> {
  const unverified = {
    bytes,
    signatures: signatures === undefined ? [] : parseSignatures(signatures),
    policyHash: undefined,
  }
  const verified = verify(unverified, { trust, scope, signatureRequired: true }, nodeCrypto)
  yield `by ${verified.keyIds.join(', ')} for ${scopeKey(scope)}`
  yield `canonical, ${inspect(bytes).rules.length} rules`
  const now = Date.now()
  const bundle = decode(verified, { now, audience })
  yield `for ${scopeKey(bundle.scope)}, epoch ${bundle.policyEpoch}, in force`
  const snapshot = compile(bundle, celConditions())
  yield 'every pattern and condition'
  requirePassed(runSelfTests(bundle, snapshot, now))
  yield `${bundle.tests.length} passed`
}

/** The scope that the bytes name: a kernel knows its own, whoever asks here need not. */
function claimedScope(bytes: Uint8Array): Scope {
  try {
    return inspect(bytes).scope
  } catch (error) {
    if (isKernelError(error)) return defaultScope
    throw error
  }
}

async function readTrust(given: Given, io: Io): Promise<TrustRoot> {
  const keys = given.flags.get('key')
  const file = valueOf(given, 'trust-root')
  if ((keys === undefined) === (file === undefined)) {
    throw usage(name, 'say who may sign: --key HEX or --trust-root FILE')
  }
  return file === undefined
    ? trustKeys(keys ?? [], nodeCrypto)
    : parseTrustRoot(await readFile(io, file), nodeCrypto)
}
