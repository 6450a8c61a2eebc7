import { digest, scopeKey, timestamp } from '@helm-ai-kernel/core'
import { inspect, parseSignatures, type PolicyBundle } from '@helm-ai-kernel/core/bundle'
import { nodeCrypto } from '@helm-ai-kernel/host'
import type { Command } from '../command.ts'
import { readIfThere } from '../files.ts'
import { readPolicy } from '../policy-file.ts'
import { answer, table } from '../print.ts'

export const bundleInspect: Command = {
  summary: 'show what a bundle says; nothing is verified',
  usage: '<policy.bundle>',
  example: 'bundle inspect dist/policy.bundle',
  flags: {},
  operands: [1, 1],
  async run(given, io) {
    const [path = ''] = given.operands
    const bytes = await readPolicy(io, path)
    const bundle = inspect(bytes)
    const sig = await readIfThere(io, `${path}.sig`)
    const signatures = sig === undefined ? [] : parseSignatures(sig)
    const document = {
      verified: false,
      policy_hash: digest(nodeCrypto, bytes),
      ...headOf(bundle),
      signatures: signatures.map(({ keyId }) => keyId ?? 'of a key that is not named'),
      rules: bundle.rules,
      tests: bundle.tests,
      metadata: bundle.metadata,
    }
    const lines = [
      ...table([
        ['policy_hash', document.policy_hash],
        ...Object.entries(headOf(bundle)).map(([key, value]) => [key, `${value ?? 'not set'}`]),
        ['signatures', document.signatures.join(', ') || 'none'],
        ['tests', `${bundle.tests.length}`],
      ]),
      '',
      ...table(
        bundle.rules.map(({ effect, id, actions, resources = ['*'], principals = ['*'] }) => [
          effect,
          id,
          `${actions.join(' ')} on ${resources.join(' ')} by ${principals.join(' ')}`,
        ]),
      ),
      '',
      'warning: nothing here is verified; run bundle verify',
    ]
    return answer(io, given, document, lines)
  },
}

function headOf({ scope, policyEpoch, audience, issuedAt, expiresAt }: PolicyBundle) {
  return {
    scope: scopeKey(scope),
    policy_epoch: policyEpoch,
    audience: audience?.join(', ') ?? null,
    issued_at: issuedAt === undefined ? null : timestamp(issuedAt),
    expires_at: expiresAt === undefined ? null : timestamp(expiresAt),
  }
}
