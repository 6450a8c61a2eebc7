import {
  canonicalBytes,
  encodeHex,
  encodeUtf8,
  type Json,
  nobleCrypto,
  noTrust,
  parseTrustRoot,
  scopeOf,
  signer,
  type TrustRoot,
  trustKeys,
} from '@helm-ai-kernel/core'
import {
  encodeSignatures,
  parseSignatures,
  signBundle,
  type Signatures,
  verify,
} from '@helm-ai-kernel/core/bundle'
import { describe, expect, it } from 'vitest'
import { verifyAgain } from '../../packages/core/src/bundle/verify.ts'
import { bundleOf, scope } from '../support/policy.ts'
import { refusal } from '../support/refusal.ts'

const [alice, bob, carol, eve] = [1, 2, 3, 4].map((n) => signer(new Uint8Array(32).fill(n))) as [
  ReturnType<typeof signer>,
  ReturnType<typeof signer>,
  ReturnType<typeof signer>,
  ReturnType<typeof signer>,
]
const bytes = bundleOf([{ id: 'r', effect: 'ALLOW', actions: ['a'] }])
const trusting = (...keys: readonly (typeof alice)[]): TrustRoot =>
  trustKeys(
    keys.map(({ publicKey }) => encodeHex(publicKey)),
    nobleCrypto,
  )
const bare = (key: typeof alice) => ({ ...signBundle(bytes, key), keyId: undefined })

function rootOf(threshold: number, keys: readonly (readonly [typeof alice, string])[]): TrustRoot {
  const document: Json = {
    type: 'helm.trust-root/v1',
    version: 1,
    threshold,
    keys: keys.map(([{ keyId, publicKey }, of]) => ({
      key_id: keyId,
      public_key: encodeHex(publicKey),
      scopes: [of],
    })),
  }
  return parseTrustRoot(canonicalBytes(document), nobleCrypto)
}

function check(signatures: Signatures, trust: TrustRoot, of = scope) {
  const verification = { trust, scope: of, signatureRequired: false }
  return verify({ bytes, signatures, policyHash: undefined }, verification, nobleCrypto)
}

describe('a signature file', () => {
  const hex = encodeHex(signBundle(bytes, alice).signature)

  it.each([
    ['one line', hex],
    ['a line with its end', `${hex}\n`],
    ['a line with the end that other editors give', `${hex}\r\n`],
    ['capital digits', hex.toUpperCase()],
  ])('may be %s', (_what, text) => {
    expect(parseSignatures(encodeUtf8(text))).toEqual([bare(alice)])
  })

  it.each([
    ['digits before the line', `00${hex}`],
    ['digits after the line', `${hex}00`],
    ['a space before the line', ` ${hex}`],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe)],
  ])('with %s is refused', (_what, content) => {
    const error = refusal(() =>
      parseSignatures(typeof content === 'string' ? encodeUtf8(content) : content),
    )
    expect(error.code).toBe('SIGNATURE_INVALID')
    expect(error.message).toContain('one line of 128 hex digits, or a JSON list')
  })

  it('in JSON says which entry is wrong', () => {
    const good = { key_id: alice.keyId, signature: hex }
    const read = (entries: readonly Json[]) =>
      refusal(() => parseSignatures(encodeUtf8(JSON.stringify(entries))))
    expect(read([good, { ...good, key_id: 'alice' }]).message).toMatch(
      /signature list: must be a key id .*1\.key_id/,
    )
    const short = read([{ ...good, signature: '00' }])
    expect([short.code, short.message]).toEqual([
      'SIGNATURE_INVALID',
      'a signature must be 128 hex digits',
    ])
    expect(refusal(() => parseSignatures(encodeUtf8('[1,'))).message).toContain(
      'signature list is not strict JSON',
    )
  })

  it('is at most 16 KiB, and 16 signatures', () => {
    const list = (length: number): string =>
      JSON.stringify(Array.from({ length }, () => ({ key_id: alice.keyId, signature: hex })))
    expect(parseSignatures(encodeUtf8(list(16).padEnd(16_384)))).toHaveLength(16)
    for (const text of [list(16).padEnd(16_385), hex.padStart(16_385, '0')]) {
      expect(refusal(() => parseSignatures(encodeUtf8(text)))).toMatchObject({
        code: 'SIGNATURE_INVALID',
        message: 'a signature file is at most 16 KiB',
      })
    }
    expect(refusal(() => parseSignatures(encodeUtf8(list(17)))).code).toBe('SIGNATURE_INVALID')
  })

  it('is one line for one signature without a key id, and a list for any other', () => {
    const text = (signatures: Signatures) => new TextDecoder().decode(encodeSignatures(signatures))
    expect(text([bare(alice)])).toBe(`${hex}\n`)
    const named = { key_id: alice.keyId, signature: hex }
    expect(text([signBundle(bytes, alice)])).toBe(`${JSON.stringify([named])}\n`)
    expect(text([])).toBe('[]\n')
    expect(parseSignatures(encodeSignatures([signBundle(bytes, alice)]))).toEqual([
      signBundle(bytes, alice),
    ])
  })
})

describe('the signatures of a bundle', () => {
  it('prove who signed, in the order of the key ids, whatever order they came in', () => {
    const trust = trusting(alice, bob, carol)
    const inOrder = [alice, bob, carol].map(({ keyId }) => keyId).sort()
    for (const order of [
      [alice, bob, carol],
      [carol, bob, alice],
      [bob, alice, carol],
    ]) {
      const { keyIds, proofs } = check(
        order.map((key) => signBundle(bytes, key)),
        trust,
      )
      expect(keyIds).toEqual(inOrder)
      expect(proofs.map(({ keyId }) => keyId)).toEqual(inOrder)
    }
  })

  it('are made over the exact bytes, under the name of their key', () => {
    expect(signBundle(bytes, alice)).toEqual({ keyId: alice.keyId, signature: alice.sign(bytes) })
  })

  it('without key ids are tried against every key of the scope, and count for whose they are', () => {
    const trust = rootOf(2, [
      [alice, '*'],
      [bob, '*'],
    ])
    expect(check([bare(bob), bare(alice)], trust).keyIds).toHaveLength(2)
  })

  it.each<[what: string, signatures: Signatures, trust: TrustRoot, code: string, message: string]>([
    [
      'missing, where there are keys',
      [],
      trusting(alice),
      'SIGNATURE_MISSING',
      'the bundle has no signature, and this kernel has trust keys',
    ],
    [
      'of no key of the scope, and without a key id',
      [{ keyId: undefined, signature: eve.sign(bytes) }],
      trusting(alice),
      'SIGNATURE_INVALID',
      'the signature is of no key that may sign for this scope over these bytes',
    ],
    [
      'without a key id, where no key may sign for the scope',
      [{ keyId: undefined, signature: alice.sign(bytes) }],
      rootOf(1, [[alice, 'acme/*']]),
      'SIGNATURE_INVALID',
      'the signature is of no key that may sign for this scope',
    ],
    [
      'of a known key over other bytes',
      [{ keyId: alice.keyId, signature: alice.sign(encodeUtf8('other')) }],
      trusting(alice),
      'SIGNATURE_INVALID',
      `the signature of ${alice.keyId} is not over these bytes`,
    ],
    [
      'of strangers alone',
      [{ keyId: eve.keyId, signature: eve.sign(bytes) }],
      trusting(alice),
      'KEY_UNTRUSTED',
      'no signature is by a key that the trust root allows for this scope',
    ],
    [
      'too few',
      [{ keyId: alice.keyId, signature: alice.sign(bytes) }],
      rootOf(2, [
        [alice, '*'],
        [bob, '*'],
      ]),
      'THRESHOLD_NOT_MET',
      '2 distinct keys must sign, 1 did',
    ],
  ])('are refused when they are %s', (_what, signatures, trust, code, message) => {
    const error = refusal(() => check(signatures, trust))
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
  })

  it('may be of a key for all of a tenant, or for one workspace of it', () => {
    const prod = scopeOf('acme', 'prod')
    for (const pattern of ['acme/*', 'acme/prod']) {
      expect(check([signBundle(bytes, alice)], rootOf(1, [[alice, pattern]]), prod).keyIds).toEqual(
        [alice.keyId],
      )
    }
    const trust = rootOf(1, [[alice, 'acme/dev']])
    expect(refusal(() => check([signBundle(bytes, alice)], trust, prod)).code).toBe('KEY_UNTRUSTED')
  })
})

describe('signatures that were verified before', () => {
  const verification = (trust: TrustRoot) => ({ trust, scope, signatureRequired: true })
  const signatures = [signBundle(bytes, alice), signBundle(bytes, bob)]
  const { proofs } = check(signatures, trusting(alice, bob))

  it('are good again without the bytes, for a root that trusts their keys', () => {
    expect(verifyAgain(signatures, proofs, verification(trusting(bob, alice)))).toEqual(proofs)
    expect(
      verifyAgain(signatures, proofs, verification(trusting(bob))).map(({ keyId }) => keyId),
    ).toEqual([bob.keyId])
  })

  it.each<[what: string, given: Signatures, trust: TrustRoot, code: string]>([
    ['their keys are trusted no more', signatures, trusting(carol), 'KEY_UNTRUSTED'],
    [
      'one of them is new',
      [...signatures, { keyId: carol.keyId, signature: carol.sign(bytes) }],
      trusting(alice, carol),
      'SIGNATURE_INVALID',
    ],
    [
      'one has another key’s name',
      [{ keyId: bob.keyId, signature: alice.sign(bytes) }],
      trusting(alice, bob),
      'SIGNATURE_INVALID',
    ],
    [
      'a bit of one has changed',
      [
        {
          keyId: alice.keyId,
          signature: alice.sign(bytes).map((byte, i) => (i === 63 ? byte ^ 1 : byte)),
        },
      ],
      trusting(alice),
      'SIGNATURE_INVALID',
    ],
    ['they are gone', [], trusting(alice), 'SIGNATURE_MISSING'],
    ['there is no key any more', signatures, noTrust, 'TRUST_KEY_MISSING'],
  ])('are refused when %s', (_what, given, trust, code) => {
    expect(refusal(() => verifyAgain(given, proofs, verification(trust))).code).toBe(code)
  })

  it('say what to set when no key is configured', () => {
    expect(refusal(() => verifyAgain([], [], verification(noTrust))).message).toContain(
      'set HELM_POLICY_TRUST_PUBLIC_KEY or HELM_POLICY_TRUST_ROOT',
    )
  })
})

describe('the hash of a bundle', () => {
  it('that the head names must be that of the bytes; both are said', () => {
    const verification = { trust: noTrust, scope, signatureRequired: false }
    const { policyHash } = check([], noTrust)
    const other = encodeUtf8('{}')
    const error = refusal(() =>
      verify({ bytes: other, signatures: [], policyHash }, verification, nobleCrypto),
    )
    expect(error.code).toBe('HASH_MISMATCH')
    expect(error.message).toContain(`the head names ${policyHash}, the bytes hash to sha256:`)
    expect(verify({ bytes, signatures: [], policyHash }, verification, nobleCrypto)).toMatchObject({
      policyHash,
      bytes,
      scope,
    })
  })
})
