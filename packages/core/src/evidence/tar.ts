import { equalBytes } from '../bytes/equal.ts'
import { malformed, maxPackBytes, type Members } from './member.ts'
import type { Pause } from './pause.ts'

// POSIX.1-1988 ustar, of which one form is written and no other read: plain files, sorted by name, of
// one mode and no owner, at time zero, and two zero blocks at the end. So the same members are the same
// bytes, and there are no links, devices, folders or extension headers to be careful with.

const block = 512
const nameBytes = 100

const sizeAt = 124
const checksumAt = 148
const typeAt = 156
const file = 0x30

/** A header without name, size and checksum, whose field counts as spaces in the sum. */
const blank = blankHeader()
const blankSum = blank.reduce((sum, byte) => sum + byte, 0)

/** How many bytes a member of so many takes. */
export function tarLength(size: number): number {
  return block + Math.ceil(size / block) * block
}

/** The tar of these members. Throws `EVIDENCE_INVALID` when it would be too large for a pack. */
export async function encodeTar(members: Members, pause: Pause): Promise<Uint8Array<ArrayBuffer>> {
  const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1))
  const length = sorted.reduce((sum, [, { length: size }]) => sum + tarLength(size), 2 * block)
  if (length > maxPackBytes) throw malformed(tooLong(length))
  const tar = new Uint8Array(length)
  let at = 0
  for (const [name, bytes] of sorted) {
    tar.set(encodeHeader(name, bytes.length), at)
    tar.set(bytes, at + block)
    at += tarLength(bytes.length)
    await pause()
  }
  return tar
}

/**
 * The members of a tar, as views of its bytes. Only what `encodeTar` would write is accepted. `check`
 * hears of each name and size before anything else is done with it, and throws when there is no such
 * member. Throws `EVIDENCE_INVALID`.
 */
export async function decodeTar(
  tar: Uint8Array,
  check: (name: string, size: number) => void,
  pause: Pause,
): Promise<Members> {
  if (tar.length > maxPackBytes) throw malformed(tooLong(tar.length))
  const members = new Map<string, Uint8Array>()
  let at = 0
  let last = ''
  while (!isEnd(tar.subarray(at, at + block))) {
    const header = tar.subarray(at, at + block)
    if (header.length < block) throw malformed(`it is cut off at byte ${tar.length}`)
    const { name, size } = readHeader(header, at)
    check(name, size)
    if (!equalBytes(header, encodeHeader(name, size))) {
      throw malformed(`the header of ${name} has not the one form: checksum, mode, owner or time`)
    }
    if (name <= last) throw malformed(`${name} stands after ${last}: names ascend, each once`)
    const end = at + tarLength(size)
    if (end > tar.length) throw malformed(`${name} is cut off`)
    const dataEnd = at + block + size
    if (!isZero(tar.subarray(dataEnd, end))) {
      throw malformed(`${name} is followed by something in its padding`)
    }
    members.set(name, tar.subarray(at + block, dataEnd))
    last = name
    at = end
    await pause()
  }
  if (tar.length !== at + 2 * block || !isZero(tar.subarray(at))) {
    throw malformed('it must end in exactly two zero blocks after its last member')
  }
  return members
}

function encodeHeader(name: string, size: number): Uint8Array {
  const header = blank.slice()
  const sum = write(header, 0, name) + write(header, sizeAt, octal(size, 11)) + blankSum
  write(header, checksumAt, `${octal(sum, 6)}\0 `)
  return header
}

function blankHeader(): Uint8Array {
  const header = new Uint8Array(block)
  write(header, 100, '0000644\0') // mode
  write(header, 108, '0000000\0') // uid
  write(header, 116, '0000000\0') // gid
  write(header, 136, '00000000000\0') // mtime
  write(header, checksumAt, '        ')
  write(header, typeAt, '0')
  write(header, 257, 'ustar\x0000') // magic and version
  // Device numbers, which GNU tar writes for files, too.
  write(header, 329, '0000000\x000000000\0')
  return header
}

/** Writes ASCII, and gives the sum of its bytes. */
function write(header: Uint8Array, at: number, text: string): number {
  let sum = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    header[at + i] = code
    sum += code
  }
  return sum
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

/** Name and size as they stand; the rest of the header is compared afterwards. */
function readHeader(header: Uint8Array, at: number): { name: string; size: number } {
  const name = ascii(header.subarray(0, nameBytes)).replace(/\0+$/, '')
  if (header[typeAt] !== file) {
    throw malformed(
      `byte ${at} begins a link, folder, device or extension: files alone may be in it`,
    )
  }
  const size = ascii(header.subarray(sizeAt, sizeAt + 12))
  if (!/^[0-7]{11}\0$/.test(size)) {
    throw malformed(`the size of the member at byte ${at} must be 11 octal digits`)
  }
  return { name, size: Number.parseInt(size, 8) }
}

/** Whether a header has no name, as the blocks at the end: most have one, and are not read further. */
function isEnd(header: Uint8Array): boolean {
  return (header[0] ?? 0) === 0 && isZero(header)
}

/** One character a byte, so that no bytes are taken for others. */
function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function tooLong(length: number): string {
  return `it is ${length} bytes, at most ${maxPackBytes} are allowed: narrow the range`
}
