import { type Json, noTrust, nobleCrypto } from '@helm-ai-kernel/core'
import { decode, type Expectation, inspect, verify } from '@helm-ai-kernel/core/bundle'
import { describe, expect, it } from 'vitest'
import { decodeSliced } from '../../packages/core/src/bundle/decode.ts'
import { finish } from '../../packages/core/src/bytes/finish.ts'
import { bundleOf, now, rawBundle, scope } from '../support/policy.ts'
import { refusal } from '../support/refusal.ts'

const rules: readonly Json[] = [{ id: 'r', effect: 'ALLOW', actions: ['a'] }]
const at = (ms: number): string => new Date(now + ms).toISOString()

function verified(bytes: Uint8Array) {
  const unverified = { bytes, signatures: [], policyHash: undefined }
  return verify(unverified, { trust: noTrust, scope, signatureRequired: false }, nobleCrypto)
}

describe('a verified bundle', () => {
  it.each<[what: string, more: Record<string, Json>, expected: Partial<Expectation>]>([
    ['the epoch that the head names', {}, { policyEpoch: 1 }],
    ['its issue alone', { issued_at: at(0) }, {}],
    ['its issue five minutes ahead', { issued_at: at(300_000) }, {}],
    ['its expiry alone, a millisecond away', { expires_at: at(1) }, {}],
    [
      'a life exactly as long as it may be',
      { issued_at: at(0), expires_at: at(1000) },
      { maxLifetime: 1000 },
    ],
    ['the audience that was asked for', { audience: ['us', 'eu'] }, { audience: 'eu' }],
  ])('may say %s', (_what, more, expected) => {
    expect(decode(verified(bundleOf(rules, more)), { now, ...expected }).policyEpoch).toBe(1)
  })

  it.each<
    [
      what: string,
      more: Record<string, Json>,
      expected: Partial<Expectation>,
      code: string,
      message: string,
    ]
  >([
    [
      'another scope',
      { scope: { tenant_id: 'x', workspace_id: 'y' } },
      {},
      'SCOPE_MISMATCH',
      'the bundle is for x/y, asked for was default/default',
    ],
    [
      'another epoch than the head',
      {},
      { policyEpoch: 2 },
      'EPOCH_MISMATCH',
      'the head says 2, the bundle says 1',
    ],
    [
      'an audience that was not asked for',
      { audience: ['eu'] },
      {},
      'AUDIENCE_MISMATCH',
      'set HELM_POLICY_AUDIENCE',
    ],
    [
      'another audience',
      { audience: ['us'] },
      { audience: 'eu' },
      'AUDIENCE_MISMATCH',
      'the bundle is not for audience "eu"',
    ],
    [
      'that it expired',
      { expires_at: at(-1) },
      {},
      'BUNDLE_EXPIRED',
      `the bundle expired at ${at(-1)}`,
    ],
    [
      'that it is of the future',
      { issued_at: at(300_001) },
      {},
      'NOT_YET_VALID',
      `the bundle is issued at ${at(300_001)}, more than 5 minutes ahead`,
    ],
    [
      'its issue alone, where both times are demanded',
      { issued_at: at(0) },
      { maxLifetime: 1000 },
      'EXPIRY_MISSING',
      'demands issued_at and expires_at',
    ],
    [
      'its expiry alone, where both times are demanded',
      { expires_at: at(1000) },
      { maxLifetime: 1000 },
      'EXPIRY_MISSING',
      'demands issued_at and expires_at',
    ],
    [
      'a life that is too long',
      { issued_at: at(0), expires_at: at(1001) },
      { maxLifetime: 1000 },
      'LIFETIME_TOO_LONG',
      'lives longer than 1000 ms',
    ],
  ])('may not say %s', (_what, more, expected, code, message) => {
    const error = refusal(() =>
      decode(verified(rawBundle({ rules, ...more })), { now, ...expected }),
    )
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
  })

  it('is named in what is said of its form', () => {
    expect(refusal(() => inspect(new Uint8Array())).message).toContain('bundle')
  })

  it('is read with the decoder of the host, and is then the same', () => {
    let used = 0
    const text = (bytes: Uint8Array): string => {
      used++
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    }
    const bytes = verified(bundleOf(rules, { metadata: { owner: 'Jürgen' } }))
    expect(finish(decodeSliced(bytes, { now }, text))).toEqual(decode(bytes, { now }))
    expect(used).toBeGreaterThan(0)
    const long = rawBundle({ rules: [{ ...(rules[0] as object), reason: 'x'.repeat(65_536) }] })
    expect(refusal(() => finish(decodeSliced(verified(long), { now }, text)))).toMatchObject({
      code: 'BUNDLE_MALFORMED',
    })
  })
})
