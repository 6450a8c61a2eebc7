import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../packages/core/src/bytes/base64.ts'
import { decodeUtf8, encodeUtf8 } from '../../packages/core/src/bytes/utf8.ts'
import { nobleCrypto as crypto } from '../../packages/core/src/crypto/noble.ts'
import { cosignature, cosignedAt } from '../../packages/core/src/log/cosignature.ts'
import {
  type AnyVerifier,
  type Cosigner,
  formatVerifierKey,
  openNote,
  parseVerifierKey,
  signCheckpoint,
} from '../../packages/core/src/log/index.ts'

const signerOf = (n: number) => crypto.signer(new Uint8Array(32).fill(n))
const [log, w] = [signerOf(1), signerOf(2)]
const origin = 'example.com/log'
const root = new Uint8Array(32).fill(5)
const note = signCheckpoint({ origin, size: 42, root }, log, crypto)
const text = decodeUtf8(note).slice(0, decodeUtf8(note).indexOf('\n\n') + 1)
const name = 'witness.example/w1'
const cosigner: Cosigner = { kind: 'cosigner', name, publicKey: w.publicKey }
const time = 1_679_315_147
const code = (code: string): unknown => expect.objectContaining({ code })

/** The key hash as tlog-cosignature spells it out. */
const hashOf = (type: number) =>
  crypto.sha256(Uint8Array.of(...encodeUtf8(`${name}\n`), type, ...w.publicKey)).slice(0, 4)
const lineOf = (signature: Uint8Array, hash = hashOf(4)) =>
  `— ${name} ${encodeBase64(Uint8Array.of(...hash, ...signature))}\n`
const cosigned = (line: string) => encodeUtf8(decodeUtf8(note) + line)
const open = (bytes: Uint8Array, verifiers: readonly AnyVerifier[] = [cosigner]) =>
  openNote(bytes, verifiers, crypto)

describe('a cosignature', () => {
  const signature = cosignature(text, w, time)

  it('is the time and the signature over header, time and text', () => {
    expect(signature.length).toBe(72)
    expect(new DataView(signature.buffer).getBigUint64(0)).toBe(BigInt(time))
    const message = encodeUtf8(`cosignature/v1\ntime ${time}\n${text}`)
    expect(crypto.verify(w.publicKey, signature.subarray(8), message)).toBe(true)
    expect(cosignedAt(text, signature, w.publicKey, crypto)).toBe(time)
  })

  it('counts seconds without loss, beyond 32 bits too', () => {
    for (const time of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, 2 ** 53 - 1]) {
      expect(cosignedAt(text, cosignature(text, w, time), w.publicKey, crypto)).toBe(time)
    }
  })

  it('is nothing when any bit of it is another, or it is cut or longer', () => {
    for (let i = 0; i < signature.length; i++) {
      const changed = signature.with(i, (signature[i] ?? 0) ^ 1)
      expect(cosignedAt(text, changed, w.publicKey, crypto)).toBeUndefined()
    }
    for (const other of [signature.slice(1), signature.slice(0, -1), new Uint8Array(73)]) {
      expect(cosignedAt(text, other, w.publicKey, crypto)).toBeUndefined()
    }
    expect(cosignedAt(`${text}x\n`, signature, w.publicKey, crypto)).toBeUndefined()
    expect(cosignedAt(text, signature, log.publicKey, crypto)).toBeUndefined()
  })

  it('stands below the log’s signature, and opens with its time', () => {
    const bytes = cosigned(lineOf(signature))
    const ofLog = { name: origin, publicKey: log.publicKey }
    expect(open(bytes)).toEqual({ text, verified: [{ ...cosigner, time }] })
    expect(open(bytes, [ofLog, cosigner]).verified).toEqual([ofLog, { ...cosigner, time }])
    expect(open(bytes, [ofLog]).verified).toEqual([ofLog])
  })

  it('that is wrong refuses the note for whoever knows the witness', () => {
    const wrong = cosigned(lineOf(cosignature('another\n', w, time)))
    expect(() => open(wrong)).toThrow(code('SIGNATURE_INVALID'))
    const plain = cosigned(lineOf(w.sign(encodeUtf8(text))))
    expect(() => open(plain)).toThrow(code('SIGNATURE_INVALID'))
  })
})

describe('keys of logs and of witnesses', () => {
  const asLog = { name, publicKey: w.publicKey }

  it('are not taken for one another, though they be the same bytes', () => {
    const byWitness = cosigned(lineOf(cosignature(text, w, time)))
    const byLog = cosigned(lineOf(w.sign(encodeUtf8(text)), hashOf(1)))
    expect(() => open(byWitness, [asLog])).toThrow(code('KEY_UNTRUSTED'))
    expect(() => open(byLog, [cosigner])).toThrow(code('KEY_UNTRUSTED'))
    expect(open(byLog, [asLog]).verified).toEqual([asLog])
    const crossed = cosigned(lineOf(cosignature(text, w, time), hashOf(1)))
    expect(() => open(crossed, [asLog])).toThrow(code('SIGNATURE_INVALID'))
  })

  it('say which they are', () => {
    const vkey = formatVerifierKey(cosigner, crypto)
    expect(vkey).toMatch(/^witness\.example\/w1\+[0-9a-f]{8}\+B[A-Za-z0-9+/]+=*$/)
    expect(parseVerifierKey(vkey, crypto)).toEqual(cosigner)
    const logVkey = formatVerifierKey(asLog, crypto)
    expect(parseVerifierKey(logVkey, crypto)).toEqual({ kind: 'log', ...asLog })
    expect(vkey.split('+')[1]).not.toBe(logVkey.split('+')[1])
  })

  it('of any other type are refused', () => {
    for (const type of [0, 2, 3, 5, 6, 255]) {
      const hash = Buffer.from(hashOf(type)).toString('hex')
      const key = encodeBase64(Uint8Array.of(type, ...w.publicKey))
      expect(() => parseVerifierKey(`${name}+${hash}+${key}`, crypto)).toThrow(code('KEY_INVALID'))
    }
  })
})
