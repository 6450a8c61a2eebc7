import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { maxPackBytes, readMembers, verifyPack } from '@helm-ai-kernel/core/evidence'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { ledgerKey, membersOf, mixedSteps, tarOf, testLog } from '../support/evidence.ts'

const pack = await testLog(mixedSteps(6)).pack()
const one = ['keys.json', new Uint8Array(3).fill(0x61)] as const

const refusal = (phrase: string): unknown =>
  expect.objectContaining({
    code: 'EVIDENCE_INVALID',
    message: expect.stringContaining(phrase) as string,
  })
const refused = (tar: Uint8Array, phrase: string): Promise<void> =>
  expect(readMembers(tar)).rejects.toThrow(refusal(phrase))

/** One member, with bytes of its header replaced. */
const patched = (at: number, text: string, [name, bytes]: readonly [string, Uint8Array] = one) =>
  tarOf([[name, bytes]], (header) => header.write(text, at, 'latin1'))

describe('the tar of a pack', () => {
  it('is read back as it was written', async () => {
    expect(new Map(await readMembers(pack))).toEqual(membersOf(pack))
  })

  it('holds members of every size, those of whole blocks too', async () => {
    for (const size of [0, 1, 511, 512, 513, 1024, 65_535]) {
      const bytes = new Uint8Array(size).fill(0x61)
      const members = await readMembers(tarOf([['keys.json', bytes]]))
      expect(members.get('keys.json')).toEqual(bytes)
    }
  })

  const hasTar = spawnSync('tar', ['--version']).status === 0
  it.skipIf(!hasTar)('is taken apart by tar itself (skipped where there is none)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'helm-tar-'))
    try {
      writeFileSync(join(folder, 'pack.tar'), pack)
      const { status, stderr } = spawnSync('tar', ['-xf', 'pack.tar'], { cwd: folder })
      expect([status, stderr.toString()]).toEqual([0, ''])
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      for (const [name, bytes] of membersOf(pack)) {
        expect(files).toContain(name)
        expect(new Uint8Array(readFileSync(join(folder, name)))).toEqual(bytes)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a name', () => {
  it.each([
    '../manifest.json',
    'receipts/../../etc/passwd',
    '/etc/passwd',
    './manifest.json',
    'receipts//1.json',
    'receipts\\1.json',
    'C:\\manifest.json',
    'Manifest.json',
    'receipts/1.JSON',
    'receipts/0.json',
    'receipts/01.json',
    'receipts/1.json/',
    'receipts/1.json ',
    'receipts/१.json',
    'receipts/99999999999999999.json',
    'receipts/',
    'log/proofs/-1.tlog-proof',
    `policy/${'A'.repeat(64)}.bundle`,
    `policy/${'a'.repeat(63)}.bundle`,
    'policy/.bundle',
    'keys/1e3.json',
    '__proto__',
    'x',
  ])('%s is refused', async (name) => {
    await refused(tarOf([[name, one[1]]]), 'is the name of no member')
  })

  it('that goes on after a NUL, or has a prefix, or is empty, is refused', async () => {
    await refused(patched(0, 'keys.json\0x'), 'is the name of no member')
    await refused(patched(345, 'etc'), 'not the one form')
    await refused(patched(0, '\0'.repeat(9)), 'is the name of no member')
    await refused(patched(0, 'x'.repeat(100)), 'is the name of no member')
  })

  it('that stands twice, or before the one before it, is refused', async () => {
    await refused(tarOf([one, one]), 'each once')
    await refused(tarOf([['manifest.json', one[1]], one]), 'names ascend')
  })
})

describe('what is no plain file', () => {
  it.each([
    ['a hard link', '1'],
    ['a symbolic link', '2'],
    ['a character device', '3'],
    ['a block device', '4'],
    ['a folder', '5'],
    ['a pipe', '6'],
    ['a contiguous file', '7'],
    ['an old file', '\0'],
    ['a pax header', 'x'],
    ['a global pax header', 'g'],
    ['a GNU long name', 'L'],
    ['a GNU long link', 'K'],
    ['a sparse file', 'S'],
  ])('%s is refused', async (_, type) => {
    await refused(patched(156, type), 'files alone')
  })

  it('a link to somewhere is refused, whatever it says it is', async () => {
    await refused(patched(157, '/etc/passwd'), 'not the one form')
  })
})

describe('a size', () => {
  it.each([
    ['in base 256', '\x80\0\0\0\0\0\0\0\0\0\0\x03'],
    ['below zero, in base 256', '\xff'.repeat(12)],
    ['with a sign', '-0000000003\0'],
    ['with spaces', '         3 \0'],
    ['of few digits', '3\0'],
    ['of twelve digits', '000000000003'],
    ['that is not octal', '00000000008\0'],
    ['that is empty', '\0'.repeat(12)],
  ])('%s is refused', async (_, text) => {
    await refused(patched(124, text), '11 octal digits')
  })

  it('beyond the end, or beyond what such a member has, is refused', async () => {
    await refused(patched(124, '00000004000\0'), 'is cut off')
    await refused(patched(124, '77777777777\0'), 'at most')
    await refused(tarOf([['receipts/1.json', new Uint8Array(65_536)]]), 'at most 65535')
  })
})

describe('a header', () => {
  it.each([
    ['another mode', 100, '0000755\0'],
    ['a mode of set-uid', 100, '0004755\0'],
    ['an owner', 108, '0001750\0'],
    ['a group', 116, '0001750\0'],
    ['a time', 136, '14747474747\0'],
    ['the name of an owner', 265, 'root\0'],
    ['the name of a group', 297, 'root\0'],
    ['another magic', 257, 'ustar  \0'],
    ['no magic', 257, '\0\0\0\0\0\0\0\0'],
    ['device numbers', 329, '0000001\0'],
    ['something behind it', 505, 'x'],
  ])('with %s is refused', async (_, at, text) => {
    await refused(patched(at, text), 'not the one form')
  })

  it('with a wrong checksum, or one written otherwise, is refused', async () => {
    for (const [at, byte] of [
      [148, 0x37],
      [154, 0x20],
      [155, 0x00],
    ] as const) {
      const wrong = tarOf([one])
      wrong[at] = byte
      await refused(wrong, 'checksum')
    }
  })
})

describe('the end', () => {
  const whole = tarOf([one])

  it.each([
    ['without zero blocks', whole.subarray(0, 1024), 'two zero blocks'],
    ['with one zero block', whole.subarray(0, 1536), 'two zero blocks'],
    ['with three', new Uint8Array([...whole, ...new Uint8Array(512)]), 'two zero blocks'],
    [
      'filled up to a record',
      new Uint8Array([...whole, ...new Uint8Array(8192)]),
      'two zero blocks',
    ],
    ['with a byte behind it', new Uint8Array([...whole, 0]), 'two zero blocks'],
    ['with something in it', whole.with(whole.length - 1, 1), 'two zero blocks'],
    ['with a member behind it', new Uint8Array([...whole, ...whole]), 'two zero blocks'],
    ['in a header', whole.subarray(0, 100), 'cut off'],
    ['in a member', tarOf([['keys.json', new Uint8Array(600)]]).subarray(0, 1024), 'cut off'],
    ['of padding that is not zero', whole.with(512 + 3, 1), 'padding'],
    ['of nothing', new Uint8Array(), 'two zero blocks'],
  ])('%s is refused', async (_, tar, phrase) => {
    await refused(tar, phrase)
  })
})

describe('a pack over the limit', () => {
  it('is refused before anything in it is looked at', async () => {
    const large = new Uint8Array(maxPackBytes + 512)
    await refused(large, 'narrow the range')
    const { verdict, checks } = await verifyPack(large, { crypto, keys: [ledgerKey.publicKey] })
    expect(verdict).toBe('FAIL')
    expect(checks.map(({ status }) => status)).toEqual([
      'fail',
      ...checks.slice(1).map(() => 'not_applicable'),
    ])
  })
})
