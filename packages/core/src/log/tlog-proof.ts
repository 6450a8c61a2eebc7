import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/utf8.ts'
import { KernelError } from '../error.ts'
import type { Proof } from './proof.ts'

/** That one entry is in a log, for whoever has the entry and the log's key (C2SP tlog-proof). */
export interface TlogProof {
  /** Log index of the entry, from 0. */
  readonly index: number
  /** The inclusion proof, from the leaf's sibling up. */
  readonly hashes: Proof
  /** The signed note of the tree that the proof is in, as the log published it. */
  readonly checkpoint: Uint8Array
  /** Anything, signed by nobody; not empty. */
  readonly extra?: Uint8Array
}

/** A note has 128 KiB at most, hashes and the rest of the lines 4 KiB: the remainder is for `extra`. */
const maxBytes = 256 * 1024

/** A tree of fewer than 2^53 leaves has no longer path than 53; one encoding of everything. */
const form =
  /^c2sp\.org\/tlog-proof@v1\n(?:extra ([A-Za-z0-9+/=]+)\n)?index (0|[1-9]\d{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,53})\n([^]+)$/

/** The bytes of a `.tlog-proof` file, ASCII but for the note. */
export function formatProof({ index, hashes, checkpoint, extra }: TlogProof): Uint8Array {
  const lines = [
    'c2sp.org/tlog-proof@v1',
    ...(extra === undefined || extra.length === 0 ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(encodeBase64),
    '',
    '',
  ]
  const head = encodeUtf8(lines.join('\n'))
  const bytes = new Uint8Array(head.length + checkpoint.length)
  bytes.set(head)
  bytes.set(checkpoint, head.length)
  return bytes
}

/**
 * Takes a `.tlog-proof` file apart, and verifies nothing: neither the hashes nor the note, which may be
 * none. Throws `PROOF_INVALID` or `BYTES_INVALID`.
 *
 * @example
 * ```ts
 * const { index, hashes, checkpoint } = parseProof(file)
 * const { size, root } = openCheckpoint(checkpoint, { origin, publicKey }, nobleCrypto)
 * const claim = { leafHash: leafHash(nobleCrypto, entry), index, size, root }
 * const ok = verifyInclusion(nobleCrypto, claim, hashes)
 * ```
 */
export function parseProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > maxBytes) throw malformed(`at most ${maxBytes} bytes are allowed`)
  const [, extra, digits = '', lines = '', note = ''] = form.exec(decodeUtf8(bytes)) ?? []
  const index = Number(digits)
  if (note === '' || !Number.isSafeInteger(index)) {
    throw malformed(
      'its lines are c2sp.org/tlog-proof@v1, an index below 2^53, hashes in base64, none, and a note',
    )
  }
  const hashes = lines.split('\n').slice(0, -1)
  return {
    index,
    hashes: hashes.map((line) => decodeBase64(line, 'a hash of a tlog-proof')),
    checkpoint: encodeUtf8(note),
    ...(extra !== undefined && { extra: decodeBase64(extra, 'the extra line of a tlog-proof') }),
  }
}

function malformed(why: string): KernelError {
  return new KernelError('PROOF_INVALID', `not a tlog-proof: ${why}`)
}
