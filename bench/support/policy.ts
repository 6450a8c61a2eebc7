import { type Json, type JsonObject, nobleCrypto, noTrust, scopeOf } from '@helm-ai-kernel/core'
import { decode, encodeBundle, verify } from '@helm-ai-kernel/core/bundle'
import { compile, type EffectivePolicySnapshot } from '@helm-ai-kernel/core/policy'

export const scope = scopeOf('default', 'default')

/**
 * A policy of `count` rules as a large tenant has them: each tool has an ALLOW with a limit on an
 * argument, and every tenth a DENY on another, so a request meets one or two rules whatever the count.
 */
export function policyOf(count: number): readonly JsonObject[] {
  return Array.from({ length: count }, (_, i): JsonObject => {
    const tool = i - (i % 10 === 9 ? 1 : 0)
    return {
      id: `rule-${String(i).padStart(6, '0')}`,
      effect: i % 10 === 9 ? 'DENY' : 'ALLOW',
      actions: [`tool-${tool}.call`],
      principals: ['agent:*'],
      resources: [`account:${tool}`, `invoice:${tool}/*`],
      when:
        i % 10 === 9
          ? { path: 'args.region', op: 'eq', value: 'embargoed' }
          : { path: 'args.amount', op: 'lte', value: 100 + (i % 50) },
    }
  })
}

export function bundleBytes(count: number, policyEpoch = 1): Uint8Array {
  return encodeBundle({ rules: policyOf(count) as Json }, { scope, policyEpoch })
}

export function snapshotOf(bytes: Uint8Array): EffectivePolicySnapshot {
  const unverified = { bytes, signatures: [], policyHash: undefined }
  const verification = { trust: noTrust, scope, signatureRequired: false }
  return compile(decode(verify(unverified, verification, nobleCrypto), { now: Date.now() }))
}
