import {
  canonicalBytes,
  encodeHex,
  encodeUtf8,
  type Json,
  nobleCrypto,
  noTrust,
  scopeOf,
  signer,
  trustKeys,
  parseTrustRoot,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import {
  decode,
  encodeBundle,
  encodeSignatures,
  inspect,
  parseHead,
  parseSignatures,
  signBundle,
  type Signatures,
  verify,
} from '@helm-ai-kernel/core/bundle'
import { describe, expect, it } from 'vitest'
import { bundleOf, decodeUnsigned, now, rawBundle, scope } from '../support/policy.ts'

const keys = [1, 2, 3].map((n) => signer(new Uint8Array(32).fill(n)))
const [alice, bob, eve] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]]
const hexOf = (key: typeof alice): string => encodeHex(key.publicKey)
const bytes = bundleOf([{ id: 'r', effect: 'ALLOW', actions: ['a'] }])
const bare = (key: typeof alice): Signatures => [
  { keyId: undefined, signature: signBundle(bytes, key).signature },
]
const rule = { id: 'r', effect: 'ALLOW', actions: ['a'] }

function check(signatures: Signatures, trust: TrustRoot, signatureRequired = false): unknown {
  const verification = { trust, scope, signatureRequired }
  return verify({ bytes, signatures, policyHash: undefined }, verification, nobleCrypto)
}

function rootOf(document: Record<string, Json>): TrustRoot {
  return parseTrustRoot(
    canonicalBytes({ type: 'helm.trust-root/v1', version: 1, threshold: 1, ...document }),
    nobleCrypto,
  )
}

const entry = (key: typeof alice, scopes: readonly string[] = ['*']): Json => ({
  key_id: key.keyId,
  public_key: hexOf(key),
  scopes,
})

describe('the form of a bundle', () => {
  it.each<[what: string, more: Record<string, Json>, place: string]>([
    ['an unknown member', { extra: 1 }, 'extra'],
    ['another type', { type: 'helm.policy-bundle/v2' }, 'type'],
    [
      'a scope with an unknown member',
      { scope: { tenant_id: 'a', workspace_id: 'b', x: 1 } },
      'scope.x',
    ],
    ['a scope with a slash', { scope: { tenant_id: 'a/b', workspace_id: 'b' } }, 'scope.tenant_id'],
    ['the reserved scope', { scope: { tenant_id: 'helm', workspace_id: 'system' } }, 'scope'],
    ['epoch 0', { policy_epoch: 0 }, 'policy_epoch'],
    ['epoch 1.5', { policy_epoch: 1.5 }, 'policy_epoch'],
    ['a time without milliseconds', { issued_at: '2026-11-22T06:00:00Z' }, 'issued_at'],
    ['a day that is none', { expires_at: '2026-02-30T06:00:00.000Z' }, 'expires_at'],
    [
      'an expiry before its issue',
      { issued_at: '2026-11-22T06:00:00.000Z', expires_at: '2026-11-22T05:00:00.000Z' },
      'expires_at',
    ],
    ['rules that are no list', { rules: {} }, 'rules'],
    ['a rule that is no object', { rules: [1] }, 'rules[0]'],
    ['a rule without effect', { rules: [{ id: 'r', actions: ['a'] }] }, 'rules[0]'],
    ['a rule with an unknown member', { rules: [{ ...rule, then: 1 }] }, 'rules[0].then'],
    [
      'a rule called __proto__-ish',
      { rules: [{ ...rule, constructor: 1 }] },
      'rules[0].constructor',
    ],
    ['an unknown effect', { rules: [{ ...rule, effect: 'allow' }] }, 'rules[0].effect'],
    ['an id with a space', { rules: [{ ...rule, id: 'a b' }] }, 'rules[0].id'],
    ['no actions', { rules: [{ ...rule, actions: [] }] }, 'rules[0].actions'],
    ['an empty pattern', { rules: [{ ...rule, actions: ['a', ''] }] }, 'rules[0].actions[1]'],
    ['a * in the middle', { rules: [{ ...rule, resources: ['a*b'] }] }, 'rules[0].resources[0]'],
    ['two *', { rules: [{ ...rule, principals: ['a**'] }] }, 'rules[0].principals[0]'],
    [
      'rules out of order',
      {
        rules: [
          { ...rule, id: 'b' },
          { ...rule, id: 'a' },
        ],
      },
      'rules[1].id',
    ],
    ['an id twice', { rules: [rule, rule] }, 'rules[1].id'],
    ['an approval on ALLOW', { rules: [{ ...rule, approval: {} }] }, 'rules[0].approval'],
    [
      'an approval by nobody',
      { rules: [{ ...rule, effect: 'ESCALATE', approval: { by: [] } }] },
      'rules[0].approval.by',
    ],
    [
      'an approval for a word',
      { rules: [{ ...rule, effect: 'ESCALATE', approval: { expires_in: 'soon' } }] },
      'rules[0].approval.expires_in',
    ],
    ['a resource path outside args', { resources_from: { a: 'context.x' } }, 'resources_from'],
    [
      'a test with an unknown verdict',
      { tests: [test({ verdict: 'MAYBE' })] },
      'tests.0.expect.verdict',
    ],
    ['a test without a name', { tests: [{ ...(test({}) as object), name: '' }] }, 'tests.0.name'],
    ['metadata that is no text', { metadata: { a: 1 } }, 'metadata'],
  ])('%s is BUNDLE_MALFORMED at the place', (_what, more, place) => {
    const inspecting = (): unknown => inspect(rawBundle(more))
    expect(inspecting).toThrow(expect.objectContaining({ code: 'BUNDLE_MALFORMED' }))
    expect(inspecting).toThrow(place)
  })

  it('is kept by what encodeBundle makes: sorted, complete, the same bytes for the same policy', () => {
    const rules = [
      { ...rule, id: 'b' },
      { ...rule, id: 'a' },
    ]
    const one = encodeBundle({ rules }, { scope, policyEpoch: 3 })
    const other = encodeBundle({ rules: rules.toReversed() }, { scope, policyEpoch: 3 })
    expect(one).toEqual(other)
    expect(inspect(one)).toMatchObject({ policyEpoch: 3, scope, rules: [{ id: 'a' }, { id: 'b' }] })
  })

  it('must be canonical: a trailing newline is named as such', () => {
    const padded = new Uint8Array([...bytes, 0x0a])
    expect(() => inspect(padded)).toThrow(expect.objectContaining({ code: 'NOT_CANONICAL' }))
    expect(() => inspect(padded)).toThrow(/trailing newline/)
  })

  it('holds a rule to 64 KiB', () => {
    const resources = Array.from({ length: 40 }, (_, i) => `${i}${'x'.repeat(2000)}`)
    expect(() => inspect(rawBundle({ rules: [{ ...rule, resources }] }))).toThrow(
      expect.objectContaining({ code: 'BUNDLE_MALFORMED' }),
    )
  })
})

function test(expected: Record<string, Json>): Json {
  return {
    name: 't',
    request: { principal: 'p', action: 'a' },
    expect: { verdict: 'ALLOW', ...expected },
  }
}

describe('signatures', () => {
  it('are taken from any key that may sign for the scope', () => {
    expect(check(bare(alice), trustKeys([hexOf(alice)], nobleCrypto))).toMatchObject({
      provenance: 'signed',
      keyIds: [alice.keyId],
    })
    const rotation = trustKeys([hexOf(alice), hexOf(bob)], nobleCrypto)
    expect(check(bare(bob), rotation)).toMatchObject({ keyIds: [bob.keyId] })
  })

  it.each<
    [what: string, signatures: Signatures, trust: TrustRoot, required: boolean, code: string]
  >([
    ['none, with a key', [], trustKeys([hexOf(alice)], nobleCrypto), false, 'SIGNATURE_MISSING'],
    ['none, required, no key', [], noTrust, true, 'TRUST_KEY_MISSING'],
    [
      'a stranger’s, bare',
      bare(eve),
      trustKeys([hexOf(alice)], nobleCrypto),
      false,
      'SIGNATURE_INVALID',
    ],
    [
      'a stranger’s, in a list',
      [signBundle(bytes, eve)],
      trustKeys([hexOf(alice)], nobleCrypto),
      false,
      'KEY_UNTRUSTED',
    ],
    [
      'a known key’s over other bytes',
      [{ keyId: alice.keyId, signature: alice.sign(encodeUtf8('other')) }],
      trustKeys([hexOf(alice)], nobleCrypto),
      false,
      'SIGNATURE_INVALID',
    ],
    [
      'a good one and a known key’s bad one',
      [signBundle(bytes, alice), { keyId: bob.keyId, signature: new Uint8Array(64) }],
      trustKeys([hexOf(alice), hexOf(bob)], nobleCrypto),
      false,
      'SIGNATURE_INVALID',
    ],
    [
      'one of two',
      [signBundle(bytes, alice)],
      rootOf({ threshold: 2, keys: [entry(alice), entry(bob)] }),
      false,
      'THRESHOLD_NOT_MET',
    ],
    [
      'the same key twice',
      [signBundle(bytes, alice), signBundle(bytes, alice)],
      rootOf({ threshold: 2, keys: [entry(alice), entry(bob)] }),
      false,
      'THRESHOLD_NOT_MET',
    ],
    [
      'a key of another scope',
      [signBundle(bytes, bob)],
      rootOf({ keys: [entry(alice), entry(bob, ['acme/*'])] }),
      false,
      'KEY_UNTRUSTED',
    ],
  ])('%s', (_what, signatures, trust, required, code) => {
    expect(() => check(signatures, trust, required)).toThrow(expect.objectContaining({ code }))
  })

  it('two of three keys meet a threshold of two, whoever else signed', () => {
    const trust = rootOf({ threshold: 2, keys: [entry(alice), entry(bob)] })
    const all = [signBundle(bytes, eve), signBundle(bytes, bob), signBundle(bytes, alice)]
    expect(check(all, trust)).toMatchObject({ keyIds: [alice.keyId, bob.keyId].sort() })
  })

  it('are not needed when no key is configured: the provenance says so', () => {
    expect(check([], noTrust)).toMatchObject({ provenance: 'unsigned', keyIds: [] })
  })

  it('of a changed byte are SIGNATURE_INVALID, whichever byte', () => {
    const trust = trustKeys([hexOf(alice)], nobleCrypto)
    const signatures = bare(alice)
    for (let i = 0; i < bytes.length; i += 7) {
      const changed = bytes.slice()
      changed[i] = (changed[i] ?? 0) ^ 1
      const unverified = { bytes: changed, signatures, policyHash: undefined }
      expect(() =>
        verify(unverified, { trust, scope, signatureRequired: true }, nobleCrypto),
      ).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }))
    }
  })

  it('read back what they wrote, in both forms', () => {
    for (const signatures of [bare(alice), [signBundle(bytes, alice), signBundle(bytes, bob)]]) {
      expect(parseSignatures(encodeSignatures(signatures))).toEqual(signatures)
    }
  })

  it.each(['', 'zz', '0'.repeat(127), `${'0'.repeat(128)}\n\n`, '[]', '[{"key_id":"x"}]', '{}'])(
    'written as %j are SIGNATURE_INVALID',
    (text) => {
      expect(() => parseSignatures(encodeUtf8(text))).toThrow(
        expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
      )
    },
  )
})

describe('a trust root', () => {
  it.each<[what: string, make: () => unknown, code: string, phrase: string]>([
    [
      'a key twice',
      () => rootOf({ keys: [entry(alice), entry(alice)] }),
      'TRUST_ROOT_INVALID',
      'twice',
    ],
    ['no keys', () => rootOf({ keys: [] }), 'TRUST_ROOT_INVALID', 'keys'],
    [
      'a wrong key id',
      () => rootOf({ keys: [{ ...(entry(alice) as object), key_id: bob.keyId }] }),
      'TRUST_ROOT_INVALID',
      alice.keyId,
    ],
    [
      'a threshold that a scope cannot reach',
      () => rootOf({ threshold: 2, keys: [entry(alice), entry(bob, ['acme/*'])] }),
      'TRUST_ROOT_INVALID',
      'only 1 keys may sign for *',
    ],
    ['an unknown member', () => rootOf({ keys: [entry(alice)], x: 1 }), 'TRUST_ROOT_INVALID', 'x'],
    [
      'a scope of three parts',
      () => rootOf({ keys: [entry(alice, ['a/b/c'])] }),
      'TRUST_ROOT_INVALID',
      'scopes',
    ],
    ['a weak key', () => trustKeys(['00'.repeat(32)], nobleCrypto), 'KEY_INVALID', 'trust key 1'],
    ['a short key', () => trustKeys(['00'], nobleCrypto), 'KEY_INVALID', 'trust key 1'],
  ])('with %s is refused', (_what, make, code, phrase) => {
    expect(make).toThrow(expect.objectContaining({ code }))
    expect(make).toThrow(phrase)
  })
})

describe('what verified bytes say', () => {
  const timed = (more: Record<string, Json>): Uint8Array => bundleOf([rule], more)
  const at = (ms: number): string => new Date(now + ms).toISOString()

  it.each<[what: string, bytes: Uint8Array, more: object, code: string]>([
    ['another epoch than the head', bytes, { policyEpoch: 2 }, 'EPOCH_MISMATCH'],
    ['an audience, unasked', timed({ audience: ['eu'] }), {}, 'AUDIENCE_MISMATCH'],
    ['no audience, asked', bytes, { audience: 'eu' }, 'AUDIENCE_MISMATCH'],
    ['another audience', timed({ audience: ['us'] }), { audience: 'eu' }, 'AUDIENCE_MISMATCH'],
    ['expired this very millisecond', timed({ expires_at: at(0) }), {}, 'BUNDLE_EXPIRED'],
    ['issued too far ahead', timed({ issued_at: at(5 * 60_000 + 1) }), {}, 'NOT_YET_VALID'],
    ['no expiry, when one is demanded', bytes, { maxLifetime: 1000 }, 'EXPIRY_MISSING'],
    [
      'a long life',
      timed({ issued_at: at(0), expires_at: at(1001) }),
      { maxLifetime: 1000 },
      'LIFETIME_TOO_LONG',
    ],
    [
      'another scope',
      rawBundle({ scope: { tenant_id: 'x', workspace_id: 'y' } }),
      {},
      'SCOPE_MISMATCH',
    ],
  ])('%s', (_what, some, more, code) => {
    const verified = verify(
      { bytes: some, signatures: [], policyHash: undefined },
      { trust: noTrust, scope, signatureRequired: false },
      nobleCrypto,
    )
    expect(() => decode(verified, { now, ...more })).toThrow(expect.objectContaining({ code }))
  })

  it('an audience that holds the kernel’s own, and times in order, are fine', () => {
    const good = timed({
      audience: ['us', 'eu'],
      issued_at: at(5 * 60_000),
      expires_at: at(600_000),
    })
    const verified = verify(
      { bytes: good, signatures: [], policyHash: undefined },
      { trust: noTrust, scope, signatureRequired: false },
      nobleCrypto,
    )
    expect(decode(verified, { now, audience: 'eu', maxLifetime: 600_000 }).policyEpoch).toBe(1)
  })

  it('a hash other than the head’s is HASH_MISMATCH before anything is parsed', () => {
    const { policyHash } = decodeUnsigned(bytes)
    const garbage = { bytes: encodeUtf8('not json'), signatures: [], policyHash }
    expect(() =>
      verify(garbage, { trust: noTrust, scope, signatureRequired: false }, nobleCrypto),
    ).toThrow(expect.objectContaining({ code: 'HASH_MISMATCH' }))
  })
})

describe('a head', () => {
  const good = {
    scope: { tenant_id: 'default', workspace_id: 'default' },
    policy_epoch: 7,
    policy_hash: `sha256:${'0'.repeat(64)}`,
  }

  it('is read with unknown members ignored', () => {
    const head = parseHead(canonicalBytes({ ...good, signature: '00'.repeat(64), etag: 'x' }))
    expect(head).toMatchObject({ scope: scopeOf('default', 'default'), policyEpoch: 7 })
    expect(head.signatures).toHaveLength(1)
  })

  it.each<[Record<string, Json>]>([
    [{ policy_hash: 'abc' }],
    [{ policy_epoch: 0 }],
    [{ scope: { tenant_id: 'a' } }],
    [{ signature: '00'.repeat(64), signatures: [] }],
  ])('with %j is HEAD_MALFORMED', (more) => {
    expect(() => parseHead(canonicalBytes({ ...good, ...more }))).toThrow(
      expect.objectContaining({ code: 'HEAD_MALFORMED' }),
    )
  })
})
