import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../packages/core/src/bytes/base64.ts'
import { encodeHex } from '../../packages/core/src/bytes/hex.ts'
import { decodeUtf8, encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import {
  consistencyProof,
  createRange,
  defaultOrigin,
  emptyRoot,
  formatCheckpoint,
  formatVerifierKey,
  inclusionProof,
  leafHash,
  nodeHash,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseOrigin,
  parseVerifierKey,
  signCheckpoint,
  signNote,
  verifyConsistency,
  verifyInclusion,
} from '../../packages/core/src/log/index.ts'

const signerOf = (n: number) => crypto.signer(new Uint8Array(32).fill(n))
const [log, witness] = [signerOf(1), signerOf(2)]
const origin = 'example.com/log'
const root = new Uint8Array(32).fill(5)
const checkpoint = { origin, size: 42, root }
const ours = { origin, publicKey: log.publicKey }
const verifier = { name: origin, publicKey: log.publicKey }
const code = (code: string): unknown => expect.objectContaining({ code })
const note = (text: string) => () => openNote(encodeUtf8(text), [verifier], crypto)
const signatureOf = (bytes: Uint8Array) => decodeUtf8(bytes).split('\n').at(-2) ?? ''

describe('the tree', () => {
  it('keeps entries and nodes apart by their first byte', () => {
    expect(encodeHex(emptyRoot(crypto))).toMatch(/^e3b0c44298fc1c14/)
    // SHA-256 of one zero byte: the leaf of an empty entry.
    expect(encodeHex(leafHash(crypto, new Uint8Array(0)))).toMatch(/^6e340b9cffb37a98/)
    const forged = Uint8Array.of(...root, ...root)
    expect(leafHash(crypto, forged)).not.toEqual(nodeHash(crypto, root, root))
    expect(nodeHash(crypto, root, root)).toEqual(crypto.sha256(Uint8Array.of(1, ...forged)))
  })

  it('has a right edge that changes by append alone', () => {
    const given = [root]
    const range = createRange(crypto, { size: 1, hashes: given })
    const taken = range.hashes()
    range.append(root)
    expect([given, taken]).toEqual([[root], [root]])
  })

  it('refuses a right edge with another number of hashes than its size has', () => {
    for (const [size, count] of [
      [0, 1],
      [3, 1],
      [4, 2],
      [-1, 1],
      [1.5, 2],
      [2 ** 53, 1],
    ] as const) {
      const hashes = Array.from({ length: count }, () => root)
      expect(() => createRange(crypto, { size, hashes })).toThrow(code('BYTES_INVALID'))
    }
  })
})

describe('a log of more than 2^32 entries', () => {
  // All entries are the same, so a complete subtree has one hash a level and any size can be had.
  const levels: Uint8Array[] = [root]
  for (let level = 1; level < 53; level++) {
    const below = levels[level - 1] ?? root
    levels.push(nodeHash(crypto, below, below))
  }
  const hashOf = (level: number) => levels[level] ?? expect.unreachable()
  const rangeAt = (size: number) => {
    const complete = (level: number) => Math.floor(size / 2 ** level) % 2 === 1
    const hashes = levels.filter((_, level) => complete(level)).reverse()
    return createRange(crypto, { size, hashes })
  }
  const sizes = [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 3, 2 ** 53 - 1]

  it('grows', () => {
    const range = rangeAt(2 ** 33 - 1)
    range.append(root)
    expect(range.hashes()).toEqual([hashOf(33)])
    expect(range.root()).toEqual(hashOf(33))
  })

  it('proves inclusion and consistency', () => {
    for (const size of sizes) {
      const claim = { leafHash: root, size, root: rangeAt(size).root() }
      for (const index of [0, 1, 2 ** 31 - 1, size - 2, size - 1]) {
        const proof = inclusionProof(crypto, index, size, hashOf)
        expect(verifyInclusion(crypto, { ...claim, index }, proof)).toBe(true)
        expect(verifyInclusion(crypto, { ...claim, index }, proof.slice(1))).toBe(false)
      }
      for (const from of [1, 2 ** 31 - 1, 2 ** 31, size - 1, size]) {
        const proof = consistencyProof(crypto, from, size, hashOf)
        const fromRoot = rangeAt(from).root()
        const claim = { from, to: size, fromRoot, toRoot: rangeAt(size).root() }
        expect(verifyConsistency(crypto, claim, proof)).toBe(true)
      }
    }
  })
})

describe('a proof', () => {
  const hashOf = () => root
  const impossible = [
    [1, 1],
    [0, 0],
    [-1, 1],
    [0.5, 1],
    [Number.NaN, 1],
    [0, 2 ** 53],
  ] as const

  it('of a leaf that is not there is not made and not believed', () => {
    for (const [index, size] of impossible) {
      expect(() => inclusionProof(crypto, index, size, hashOf)).toThrow(code('PROOF_INVALID'))
      expect(verifyInclusion(crypto, { index, size, leafHash: root, root }, [])).toBe(false)
    }
  })

  it('of a beginning longer than the whole is not made and not believed', () => {
    for (const [from, to] of [[2, 1] as const, ...impossible.slice(2)]) {
      expect(() => consistencyProof(crypto, from, to, hashOf)).toThrow(code('PROOF_INVALID'))
      const claim = { from, to, fromRoot: root, toRoot: root }
      expect(verifyConsistency(crypto, claim, [])).toBe(false)
    }
  })

  it('that the empty log is a beginning is empty, and knows the empty root', () => {
    const claim = { from: 0, to: 9, fromRoot: emptyRoot(crypto), toRoot: root }
    expect(consistencyProof(crypto, 0, 9, hashOf)).toEqual([])
    expect(verifyConsistency(crypto, claim, [])).toBe(true)
    expect(verifyConsistency(crypto, claim, [root])).toBe(false)
    expect(verifyConsistency(crypto, { ...claim, fromRoot: root }, [])).toBe(false)
  })
})

describe('a signed note', () => {
  const text = 'a\n\nb é ∎ 😀\n'
  const bytes = signNote(text, origin, log, crypto)

  it('is its text, an empty line and the signature line, and opens again', () => {
    expect(decodeUtf8(bytes)).toMatch(/^a\n\nb é ∎ 😀\n\n— example\.com\/log [A-Za-z0-9+/]+=*\n$/u)
    expect(openNote(bytes, [verifier], crypto)).toEqual({ text, verified: [verifier] })
  })

  it('may have signatures of others, which do not matter', () => {
    const cosigned = `${decodeUtf8(bytes)}${signatureOf(signNote(text, 'w', witness, crypto))}\n`
    const unknown = `${cosigned}— some/one ${encodeBase64(new Uint8Array(5))}\n`
    expect(note(unknown)().verified).toEqual([verifier])
    const w = { name: 'w', publicKey: witness.publicKey }
    const both = openNote(encodeUtf8(unknown), [w, verifier], crypto)
    expect(both.verified).toEqual([w, verifier])
  })

  it('is refused when a known key signed it wrongly, whatever else is right', () => {
    const wrong = signatureOf(signNote('another\n', origin, log, crypto))
    expect(note(`${decodeUtf8(bytes)}${wrong}\n`)).toThrow(code('SIGNATURE_INVALID'))
  })

  it('is refused when no known key signed it, by name or by key', () => {
    for (const verifiers of [
      [],
      [{ name: 'example.com/other', publicKey: log.publicKey }],
      [{ name: origin, publicKey: witness.publicKey }],
    ]) {
      expect(() => openNote(bytes, verifiers, crypto)).toThrow(code('KEY_UNTRUSTED'))
    }
  })

  it('is refused when one bit of it is changed', () => {
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.with(i, (bytes[i] ?? 0) ^ 1)
      expect(() => openNote(changed, [verifier], crypto)).toThrow()
    }
  })

  const line = signatureOf(bytes)
  it.each([
    ['nothing', ''],
    ['no signature', text],
    ['no empty line', `a\n${line}\n`],
    ['no text', `\n${line}\n`],
    ['no whole line before the signature', `a${line}\n`],
    ['no newline at the end', `a\n\n${line}`],
    ['an empty line at the end', `a\n\n${line}\n\n`],
    ['a line that is no signature', `a\n\n${line}\nhello\n`],
    ['a hyphen for the dash', `a\n\n${line.replace('—', '-')}\n`],
    ['a second space', `a\n\n${line} \n`],
    ['a no-break space in a name', `a\n\n— x\u00a0y AAAAAAA=\n`],
    ['a plus in a name', 'a\n\n— x+y AAAAAAA=\n'],
    ['no name', 'a\n\n—  AAAAAAA=\n'],
    ['base64 without padding', 'a\n\n— x AAAAAAA\n'],
    ['base64 with bits to spare', 'a\n\n— x AAAAAAB=\n'],
    ['a signature of no bytes', 'a\n\n— x AAAAAA==\n'],
    ['a carriage return', `a\r\n\n${line}\n`],
    ['a tab', `a\tb\n\n${line}\n`],
    ['a zero', `a\0\n\n${line}\n`],
  ])('is refused with %s', (_, text) => {
    expect(note(text)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(BYTES|CHECKPOINT)_INVALID$/) as string,
      }),
    )
  })

  it('is refused when it is not UTF-8', () => {
    const bad = bytes.with(0, 0xff)
    expect(() => openNote(bad, [verifier], crypto)).toThrow(code('BYTES_INVALID'))
  })

  it('may have 16 signatures of post-quantum size, and no more', () => {
    const large = `— pq ${encodeBase64(new Uint8Array(4900))}\n`
    expect(note(decodeUtf8(bytes) + large.repeat(15))().text).toBe(text)
    expect(note(decodeUtf8(bytes) + large.repeat(16))).toThrow(/more than 16 signatures/)
    expect(note('a'.repeat(200_000))).toThrow(/more than 131072 bytes/)
  })

  it('is not made of a text or under a name that would not open again', () => {
    for (const [text, name] of [
      ['a', origin],
      ['a\0\n', origin],
      ['', origin],
      ['a\n', ''],
      ['a\n', 'a b'],
      ['a\n', 'a+b'],
      ['a\n', 'a\nb'],
    ] as const) {
      expect(() => signNote(text, name, log, crypto)).toThrow(code('CHECKPOINT_INVALID'))
    }
  })
})

describe('a verifier key', () => {
  const text = formatVerifierKey(verifier, crypto)

  it('is the name, the hash and the key', () => {
    expect(text).toMatch(/^example\.com\/log\+[0-9a-f]{8}\+AY[A-Za-z0-9+/]+=*$/)
    expect(parseVerifierKey(text, crypto)).toEqual({ kind: 'log', ...verifier })
  })

  it.each([
    ['nothing', ''],
    ['another name', text.replace('example', 'sample')],
    ['another hash', text.replace(/\+[0-9a-f]{8}/, '+00000000')],
    ['another type', text.replace('+AY', '+BY')],
    ['something after it', `${text}\n`],
    ['a hash in capitals', text.replace(/\+[0-9a-f]{8}/, (hash) => hash.toUpperCase())],
    ['a weak key', formatVerifierKey({ name: origin, publicKey: new Uint8Array(32) }, crypto)],
    ['a short key', formatVerifierKey({ name: origin, publicKey: new Uint8Array(31) }, crypto)],
  ])('is refused with %s', (_, text) => {
    expect(() => parseVerifierKey(text, crypto)).toThrow(code('KEY_INVALID'))
  })
})

describe('a checkpoint', () => {
  const text = formatCheckpoint(checkpoint)
  const bytes = signCheckpoint(checkpoint, log, crypto)

  it('is origin, size and root, a line each', () => {
    expect(text).toBe('example.com/log\n42\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n')
    expect(parseCheckpoint(text)).toEqual(checkpoint)
  })

  it('is signed under the name of its log, and opens again', () => {
    expect(signatureOf(bytes)).toMatch(/^— example\.com\/log /)
    expect(openCheckpoint(bytes, ours, crypto)).toEqual(checkpoint)
  })

  it('is refused under another key, as another log, and with any bit changed', () => {
    const other = { origin, publicKey: witness.publicKey }
    expect(() => openCheckpoint(bytes, other, crypto)).toThrow(code('KEY_UNTRUSTED'))
    const foreign = { ...checkpoint, origin: 'example.com/other' }
    const misnamed = signNote(formatCheckpoint(foreign), origin, log, crypto)
    expect(() => openCheckpoint(misnamed, ours, crypto)).toThrow(code('CHECKPOINT_INVALID'))
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.with(i, (bytes[i] ?? 0) ^ 4)
      expect(() => openCheckpoint(changed, ours, crypto)).toThrow()
    }
  })

  it('may have extension lines, which are not read', () => {
    expect(parseCheckpoint(`${text}one\ntwo\n`)).toEqual(checkpoint)
  })

  it('counts to 2^53 − 1', () => {
    const most = { ...checkpoint, size: 2 ** 53 - 1 }
    expect(parseCheckpoint(formatCheckpoint(most))).toEqual(most)
  })

  it.each([
    ['an empty extension line', `${text}\n`],
    ['no last newline', text.slice(0, -1)],
    ['no origin', text.replace(origin, '')],
    ['a zero before the size', text.replace('42', '042')],
    ['a sign', text.replace('42', '+42')],
    ['a fraction', text.replace('42', '42.0')],
    ['an exponent', text.replace('42', '4e1')],
    ['a size of 2^53', text.replace('42', String(2 ** 53))],
    ['a short root', text.replace('BQU=', '')],
    ['a root without padding', text.replace('=', '')],
    ['a space', text.replace('42', '42 ')],
  ])('is refused with %s', (_, text) => {
    expect(() => parseCheckpoint(text)).toThrow(code('CHECKPOINT_INVALID'))
  })

  it('is refused with a root that spells its bytes another way', () => {
    expect(() => parseCheckpoint(text.replace('BQU=', 'BQV='))).toThrow(code('BYTES_INVALID'))
  })
})

describe('the origin of our logs', () => {
  it('is given by its first key when nobody names it', () => {
    const origin = defaultOrigin(crypto, log.publicKey)
    expect(origin).toMatch(/^helm-ai-kernel\.local\/[0-9a-f]{16}$/)
    expect(parseOrigin(origin)).toBe(origin)
    expect(`ed25519:${origin.slice(-16)}`).toBe(log.keyId)
  })

  it.each(['', '.a', '-a', '/a', 'A', 'a b', 'a+b', 'é', '{"', 'DSSEv1 ', 'a\n', 'a'.repeat(129)])(
    'is not %j',
    (text) => {
      expect(() => parseOrigin(text)).toThrow(code('IDENTIFIER_INVALID'))
      const wrong = { ...checkpoint, origin: text }
      expect(() => signCheckpoint(wrong, log, crypto)).toThrow(code('IDENTIFIER_INVALID'))
    },
  )
})
